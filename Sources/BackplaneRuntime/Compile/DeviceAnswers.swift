import BackplaneCore
import BackplaneRegistry

/// One device's verdicts, by signature, each asked for once.
struct DeviceAnswers {
  let device: Device
  private var verdicts: [Verdict?] = []

  private let timer: NodeTimer?

  /// - Parameter timer: Measures what the device only estimates.
  init(_ device: Device, timer: NodeTimer? = nil) { (self.device, self.timer) = (device, timer) }

  /// Asks about those not known yet, in one call.
  mutating func ask(about signatures: some Sequence<Int>, _ table: SignatureTable) throws(BackplaneError) {
    if verdicts.count < table.examples.count {
      verdicts.append(contentsOf: Array(repeating: nil, count: table.examples.count - verdicts.count))
    }
    var unknown: [Int] = []
    var isListed = Array(repeating: false, count: verdicts.count)
    for signature in signatures where verdicts[signature] == nil && !isListed[signature] {
      isListed[signature] = true
      unknown.append(signature)
    }
    if unknown.isEmpty { return }
    let answers = try device.query(try ABIGraph(table.queryGraph(unknown)))
    for (signature, answer) in zip(unknown, answers) {
      var answer = answer
      if answer.isUsable, let time = timer?.nanoseconds(signature, table, on: device) { (answer.estimatedNanoseconds, answer.confidence) = (time, 100) }
      verdicts[signature] = answer
    }
  }

  /// - Precondition: Asked before.
  subscript(signature: Int) -> Verdict { verdicts[signature]! }

  mutating func verdict(_ signature: Int, _ table: SignatureTable) throws(BackplaneError) -> Verdict {
    try ask(about: CollectionOfOne(signature), table)
    return verdicts[signature]!
  }
}

extension Verdict {
  /// A yes that this runtime can use. Packed layouts are not made in this version, so "after repacking" is a no.
  var isUsable: Bool { support == .yes || support == .emulated }

  /// Why not, in words: the catalogue's text, the operand by its name, limit and actual value.
  func refusal(of node: Node, _ operandName: (Int) -> String) -> String {
    if support == .afterRepack { return "it wants an operand in a packed layout, which this version does not make" }
    var text = "\(reason)"
    let isAboutOperand = [3, 4, 5, 6, 7, 8, 9, 18, 19, 22].contains(reason.code)
    if isAboutOperand, operand < node.inputs.count + node.outputs.count { text += " (operand \(operandName(operand)))" }
    if limit != 0 || actual != 0 { text += ", limit \(limit), actual \(actual)" }
    return detail.isEmpty ? text : text + ": \(detail)"
  }
}
