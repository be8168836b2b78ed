import BackplaneABI
import BackplaneCore
import BackplaneSpecs
import Synchronization

/// The names behind the numbers that cross the ABI, for messages.
enum KnownNames {
  /// The text lives as long as the process; nil for a number without a name.
  static func text(of number: bp_id) -> PermanentText? {
    if let known = byNumber[number] { return known }
    return custom.withLock { custom in
      if let known = custom[number] { return known }
      let names = OperatorSpec.registered.flatMap { [$0.name] + $0.attributes.map(\.name) }
      guard let name = names.first(where: { Identifier($0).value == number }) else { return nil }
      let text = PermanentText(name)
      custom[number] = text
      return text
    }
  }

  private static let byNumber: [bp_id: PermanentText] = {
    var names: Set<String> = ["strided", "act_block", "operand_round", "p_round", "ftz", "isa", "threads", "node", "variant", "bytes", "kernel"]
    for format in ElementFormat.all { names.insert(format.name) }
    for spec in OperatorSpec.all {
      names.insert(spec.name)
      for attribute in spec.attributes { names.insert(attribute.name) }
    }
    return Dictionary(names.map { (Identifier($0).value, PermanentText($0)) }) { first, _ in first }
  }()

  /// Of registered operators, as they were asked for.
  private static let custom = Mutex<[bp_id: PermanentText]>([:])
}
