import BackplaneABI
import BackplaneCore
import BackplaneReference
import Foundation
@testable import BackplaneConformance

/// One case of the suite as bytes for the driver (driver.c says the format), and what comes back judged by the oracle.
struct KernelCall {
  let id: CaseID
  let bytes: Data
  /// Bytes of each output that is wanted.
  private let outputs: [(name: String, byteCount: Int)]
  private let made: CaseGraph
  private let data: [[UInt8]]

  /// - Parameter isa: Instruction sets that may be used, BP_CPU_….
  init(_ id: CaseID, isa: UInt32, workers: UInt32) throws {
    self.id = id
    made = try CaseGraph(id)
    data = DataGenerator(id: id).make()
    let graph = try ABIGraph(made.graph)
    defer { withExtendedLifetime(graph) {} }
    let record = graph.pointer.pointee
    let node = record.nodes.ptr!.assumingMemoryBound(to: bp_node.self).pointee
    var out = Writer()
    out.put(node.op)
    for word in [isa, workers, node.n_in, node.n_out, node.attrs.count, 0] { out.put(word) }
    var contents: [UInt32: [UInt8]] = [:]
    for (slot, input) in made.inputs.compactMap({ $0 }).enumerated() { contents[UInt32(input.id.index)] = data[slot] }
    func tensor(_ number: UInt32) -> bp_tensor {
      (record.tensors.ptr! + Int(number) * Int(record.tensors.stride)).assumingMemoryBound(to: bp_tensor.self).pointee
    }
    let inputs = (0..<Int(node.n_in)).map { node.in[$0] }
    for number in inputs { out.operand(number == BP_NO_TENSOR ? nil : tensor(number), sameAs: -1, contents: number == BP_NO_TENSOR ? nil : contents[number]) }
    var outputs: [(String, Int)] = []
    for i in 0..<Int(node.n_out) {
      let number = node.out[i]
      guard number != BP_NO_TENSOR else { out.operand(nil, sameAs: -1, contents: nil); continue }
      let id = made.node.outputs[i]!
      outputs.append((made.graph[id].name, made.graph[id].bytes(in: made.symbols) ?? 0))
      out.operand(tensor(number), sameAs: inputs.firstIndex(of: number) ?? -1, contents: nil)
    }
    self.outputs = outputs
    for i in 0..<Int(node.attrs.count) {
      let attribute = (node.attrs.ptr! + i * Int(node.attrs.stride)).assumingMemoryBound(to: bp_attr.self).pointee
      let unit = [BP_ATTR_STR: 1, BP_ATTR_I64S: 8, BP_ATTR_F64S: 8][attribute.kind] ?? 0
      out.put(attribute.name)
      for word in [attribute.kind, attribute.count] { out.put(word) }
      out.put(attribute.i)
      out.put(attribute.f)
      let bytes = UnsafeRawBufferPointer(start: attribute.data, count: attribute.data == nil ? 0 : unit * Int(attribute.count))
      out.put(UInt64(bytes.count))
      out.data.append(contentsOf: bytes)
    }
    bytes = out.data
  }

  /// Takes this call's answer from the front of `answers`.
  ///
  /// - Returns: The kernel that ran, nil when none takes the call; and what is wrong with its results.
  func judge(_ answers: inout Data) throws -> (kernel: String?, result: CaseResult)? {
    func take(_ count: Int) -> Data? {
      guard answers.count >= count else { return nil }
      defer { answers = answers.dropFirst(count) }
      return answers.prefix(count)
    }
    guard let length = take(4).map({ $0.reversed().reduce(0) { $0 << 8 | Int($1) } }), let name = take(length) else { return nil }
    var result = CaseResult(id: id.description, outcome: .pass)
    if length == 0 { return (nil, result) }
    let kernel = String(decoding: name, as: UTF8.self)
    let expected = try Expectation(id, made, data, kernel.contains("_i8_") ? Declared(activationBlock: 32) : .nothing)
    for (k, output) in outputs.enumerated() {
      guard let bytes = take(output.byteCount) else { return nil }
      if let reference = expected.outputs[k] { expected.judge(Array(bytes), k, reference, name: output.name, &result) }
    }
    return (kernel, result)
  }
}

private struct Writer {
  var data = Data()

  mutating func put<T>(_ value: T) { withUnsafeBytes(of: value) { data.append(contentsOf: $0) } }

  mutating func operand(_ tensor: bp_tensor?, sameAs: Int, contents: [UInt8]?) {
    guard let tensor, let format = ElementFormat.all.first(where: { Identifier($0.name).value == tensor.dtype }) else { return put(UInt64(0)) }
    put(tensor.dtype)
    for word in [tensor.rank, UInt32(format.blockElements), UInt32(format.blockBytes), tensor.flags & BP_TENSOR_CONST] { put(word) }
    withUnsafeBytes(of: tensor.dim) { data.append(contentsOf: $0) }
    withUnsafeBytes(of: tensor.stride) { data.append(contentsOf: $0) }
    let elements = withUnsafeBytes(of: tensor.dim) { $0.bindMemory(to: Int64.self).prefix(Int(tensor.rank)).reduce(1, *) }
    put(UInt64(contents?.count ?? format.bytes(forElements: Int(elements)) ?? 0))
    put(Int64(sameAs))
    if let contents { data.append(contentsOf: contents) }
  }
}
