import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneSpecs
import Foundation

/// How a case's tensors lie in memory. What lies between rows is poison.
enum Layout: Sendable { case dense, padded, spread, repeated }

/// One operand: its bytes dense and row-major.
struct Operand: Sendable {
  var format: ElementFormat
  var shape: [Int]
  var bytes: [UInt8]
}

/// One application of an operator to be judged.
struct Trial: Sendable {
  let op: String
  let inputs: [Operand?]
  let attributes: [Attribute]
  var layout = Layout.dense
  /// Whether optional outputs are wanted.
  var wantsAll = true

  /// What is wrong with the device's answer; nil when nothing is.
  func finding(_ device: MutantDevice) throws -> String? {
    let spec = OperatorSpec.named(op)!
    let placed = inputs.map { $0.map { Placed($0.format, $0.shape, layout, $0.bytes) } }
    let described = inputs.enumerated().map { k, x in x.map { TensorDescription(name: "x\(k)", format: $0.format, shape: Shape($0.shape), role: .input) } }
    let resolution = try spec.resolve(inputs: described, attributes: attributes)
    let wanted = spec.outputs.indices.map { wantsAll || $0 == 0 }

    var graph = Graph()
    func add(_ format: ElementFormat, _ shape: [Int], _ role: TensorRole) -> TensorID {
      graph.tensors.append(TensorDescription(name: "t\(graph.tensors.count)", format: format, shape: Shape(shape), role: role))
      return TensorID(graph.tensors.count - 1)
    }
    let ins = inputs.map { $0.map { add($0.format, $0.shape, .input) } }
    let shapes = resolution.outputs.map { $0.shape.fixedExtents! }
    let outs = resolution.outputs.enumerated().map { j, output in wanted[j] ? add(output.format, shapes[j], .intermediate) : nil }
    graph.inputs = ins.compactMap { $0 }
    graph.outputs = outs.compactMap { $0 }
    let node = Node(op: op, inputs: ins, outputs: outs, attributes: resolution.attributes)
    graph.nodes = [node]
    let abi = try ABIGraph(graph)
    let outputLayout = layout == .repeated ? Layout.dense : layout
    func makeOutputs(_ poison: UInt8) -> [Placed] {
      resolution.outputs.indices.filter { wanted[$0] }.map { Placed(resolution.outputs[$0].format, shapes[$0], outputLayout, nil, poison: poison) }
    }
    let first = makeOutputs(0xff)
    for (number, tensor) in (placed.compactMap { $0 } + first).enumerated() {
      let record = UnsafeMutableRawPointer(mutating: abi.pointer.pointee.tensors.ptr!) + number * Int(abi.pointer.pointee.tensors.stride)
      withUnsafeMutableBytes(of: &record.assumingMemoryBound(to: bp_tensor.self).pointee.stride) { strides in
        for (d, stride) in tensor.strides.enumerated() { strides.bindMemory(to: Int64.self)[d] = Int64(stride) }
      }
    }
    return try withExtendedLifetime(abi) {
      let verdict = try device.verdicts(abi)[0]
      guard verdict.support == BP_SUPPORT_YES else { return "refused for reason \(verdict.reason)" }
      let expected = try ReferenceInterpreter().evaluate(node: node, inputs: placed.map { $0?.view }, declared: Declared(abi: verdict.declares))
      let program = try device.program(abi)
      defer { device.functions.program_destroy(program) }
      let before = placed.map { $0?.memory }
      try run(device, program, placed, first)
      let again = makeOutputs(0)
      try run(device, program, placed, again)
      for (k, (old, now)) in zip(before, placed).enumerated() where old != now?.memory { return "input \(k) was changed" }
      for (j, (one, two)) in zip(first, again).enumerated() {
        let reference = expected.compactMap { $0 }[j]
        let judgement = Judge.compare(expected: reference, actual: one.view)
        if !judgement.passed { return "output \(j): \(judgement)" }
        if !one.isUntouchedBetween(0xff) { return "output \(j): written outside" }
        if one.view.bytes() != two.view.bytes(), !Judge.compare(expected: reference, actual: two.view).passed { return "output \(j): depends on what was there" }
        if one.view.bytes() != two.view.bytes(), judgement.unjudged == 0 { return "output \(j): differs from run to run" }
      }
      return nil
    }
  }

  private func run(_ device: MutantDevice, _ program: bp_program, _ inputs: [Placed?], _ outputs: [Placed]) throws {
    var buffers: [bp_buffer] = []
    defer { for buffer in buffers { device.functions.buffer_destroy(device.handle, buffer) } }
    var bindings: [bp_binding] = []
    for tensor in inputs.compactMap({ $0 }) + outputs {
      let buffer = try device.buffer(tensor.base, bytes: max(tensor.span, 1))
      buffers.append(buffer)
      bindings.append(binding(buffer, bytes: tensor.span))
    }
    try device.run(program, bindings)
  }
}

/// A tensor in memory of its own, with poison around and between its elements.
final class Placed {
  let format: ElementFormat
  let shape, strides: [Int]
  let span: Int
  private let start: UnsafeMutableRawPointer
  private let size: Int
  private static let margin = 64

  init(_ format: ElementFormat, _ shape: [Int], _ layout: Layout, _ bytes: [UInt8]?, poison: UInt8 = 0xff) {
    self.format = format
    self.shape = shape
    let unit = format.blockBytes
    var strides = [Int](repeating: unit, count: shape.count), step = unit
    for d in shape.indices.reversed() {
      if layout == .spread, d == shape.count - 1, !format.isBlock { step *= 2 }
      if layout == .padded, d == shape.count - 2 { step += unit * (format.isBlock ? 1 : 3) }
      strides[d] = step
      step *= max(d == shape.count - 1 ? shape[d] / format.blockElements : shape[d], 1)
    }
    if layout == .repeated, shape.count > 1 { strides[0] = 0 }
    self.strides = strides
    let units = shape.indices.map { $0 == shape.count - 1 ? shape[$0] / format.blockElements : shape[$0] }
    span = units.contains(0) ? 0 : zip(units, strides).reduce(unit) { $0 + ($1.0 - 1) * $1.1 }
    size = span + 2 * Placed.margin
    start = .allocate(byteCount: size, alignment: 64)
    memset(start, Int32(poison), size)
    guard let bytes else { return }
    eachUnit { i, offset in
      _ = bytes.withUnsafeBytes { memcpy(self.base + offset, $0.baseAddress! + i * unit, unit) }
    }
  }
  deinit { start.deallocate() }

  var base: UnsafeMutableRawPointer { start + Placed.margin }
  var view: TensorView { TensorView(base, format, shape, strides: strides) }
  var memory: [UInt8] { Array(UnsafeRawBufferPointer(start: start, count: size)) }

  /// Whether everything that is no element still is `poison`.
  func isUntouchedBetween(_ poison: UInt8) -> Bool {
    var memory = memory
    eachUnit { _, offset in for k in 0..<format.blockBytes { memory[Placed.margin + offset + k] = poison } }
    return memory.allSatisfy { $0 == poison }
  }

  private func eachUnit(_ body: (Int, Int) -> Void) {
    let units = shape.indices.map { $0 == shape.count - 1 ? shape[$0] / format.blockElements : shape[$0] }
    for i in 0..<units.reduce(1, *) {
      var (rest, offset) = (i, 0)
      for d in units.indices.reversed() { (offset, rest) = (offset + rest % units[d] * strides[d], rest / units[d]) }
      body(i, offset)
    }
  }
}
