import BackplaneCore
@testable import BackplaneONNX
import Foundation
import Testing
import _TestSupport

/// The reader against files that are right, wrong, and hostile.
@Suite struct ReaderTests {
  static let softmax = Onnx.model(
    [Onnx.node("Softmax", ["x"], ["y"], ints: ["axis": 1])], inputs: [Onnx.value("x", 1, [2, 3])], outputs: [Onnx.value("y", 1, [2, 3])],
    initializers: [Onnx.floats("w", [2], [1, -2])])

  private func parse<T>(_ bytes: [UInt8], _ read: (inout ProtobufReader) throws(BackplaneError) -> T) throws(BackplaneError) -> T {
    let result: Result<T, BackplaneError> = bytes.withUnsafeBytes { memory in
      Result { () throws(BackplaneError) in
        var reader = ProtobufReader(memory)
        return try read(&reader)
      }
    }
    return try result.get()
  }
  private func model(_ bytes: [UInt8]) throws(BackplaneError) -> ONNXModel { try parse(bytes) { reader throws(BackplaneError) in try ONNXModel(&reader, folder: nil) } }
  private func tensor(_ message: Message) throws(BackplaneError) -> ONNXTensor { try parse(message.bytes) { reader throws(BackplaneError) in try ONNXTensor(&reader, folder: nil) } }

  @Test func aModelIsReadAsItWasWritten() throws {
    let model = try model(ReaderTests.softmax.bytes)
    #expect(model.irVersion == 10)
    #expect(model.opsets == ["": 23])
    #expect(model.graph.nodes.map(\.op) == ["Softmax"])
    guard case .int(1)? = model.graph.nodes[0].attributes["axis"] else { Issue.record("the attribute is lost"); return }
    #expect(model.graph.initializers[0].numbers == [1, -2])
    guard case .tensor(.float?, let shape)? = model.graph.inputs[0].type else { Issue.record("the type is lost"); return }
    #expect(shape == [.number(2), .number(3)])
  }

  @Test func typedFieldsAndRawDataSayTheSame() throws {
    #expect(try tensor(Onnx.tensor("t", 1, [2]) { $0.float(4, 1.5); $0.float(4, -2) }).numbers == [1.5, -2])  // one a field
    #expect(try tensor(Onnx.tensor("t", 7, [3]) { $0.data(7, [1] + Message.varint(UInt64(bitPattern: -5)) + [7]) }).numbers == [1, -5, 7])  // packed
    #expect(try tensor(Onnx.tensor("t", 3, [2]) { $0.int(5, -128); $0.int(5, 127) }).numbers == [-128, 127])
    #expect(try tensor(Onnx.tensor("t", 10, [2]) { $0.int(5, 0x3C00); $0.int(5, 0xC000) }).numbers == [1, -2])  // f16 as bits
    #expect(try tensor(Onnx.tensor("t", 16, [1]) { $0.int(5, 0x3F80) }).numbers == [1])
    #expect(try tensor(Onnx.tensor("t", 11, [1], raw: [0, 0, 0, 0, 0, 0, 0xF0, 0x3F])).numbers == [1])
    #expect(try tensor(Onnx.tensor("t", 9, [2], raw: [0, 1])).numbers == [0, 1])
    #expect(try tensor(Onnx.tensor("t", 22, [3], raw: [0x21, 0x03])).bytes == [0x21, 0x03])  // 4 bits: two to a byte
    #expect(try tensor(Onnx.tensor("t", 8, [2]) { $0.text(6, "a"); $0.text(6, "bc") }).strings == ["a", "bc"])
    #expect(try tensor(Onnx.tensor("t", 1, [0, 4])).count == 0)
  }

  @Test func wrongMessagesAreRefusedWithTheByte() throws {
    func refused(_ bytes: [UInt8], _ word: String, sourceLocation: SourceLocation = #_sourceLocation) {
      let error = #expect(throws: BackplaneError.self, sourceLocation: sourceLocation) { try model(bytes) }
      #expect(error?.description.contains(word) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
      #expect(error?.description.contains("byte ") == true, "\(String(describing: error))", sourceLocation: sourceLocation)
    }
    refused([], "no graph")
    refused([0x3A, 0x80], "cut off")  // a length that does not end
    refused([0x3A, 0x05, 0x00], "5 bytes")  // longer than what is left
    refused([0x3A] + [UInt8](repeating: 0xFF, count: 9) + [0x01], "bytes")  // 2^64 - 1 bytes
    refused([0x3A] + [UInt8](repeating: 0xFF, count: 11), "64 bits")
    refused([0x38, 0x01], "wire type")  // the graph as a number
    refused([0x93, 0x03], "group")  // field 50 as a group
    refused([0x07], "key")  // wire type 7
    refused([0x00, 0x00], "key")  // field 0
    refused([0x12, 0x02, 0xFF, 0xFE], "UTF-8")
  }

  @Test func impossibleTensorsAreRefused() throws {
    func refused(_ message: Message, _ word: String, sourceLocation: SourceLocation = #_sourceLocation) {
      let error = #expect(throws: BackplaneError.self, sourceLocation: sourceLocation) { try tensor(message) }
      #expect(error?.description.contains(word) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
    }
    refused(Onnx.tensor("t", 1, [2], raw: [0, 0, 0, 0]), "needs 8 bytes")
    refused(Onnx.tensor("t", 1, [-1], raw: []), "impossible shape")
    refused(Onnx.tensor("t", 1, [1 << 40, 1 << 40], raw: []), "impossible shape")
    refused(Onnx.tensor("t", 99, [1], raw: [0]), "data type 99")
    refused(Onnx.tensor("t", 8, [2]) { $0.text(6, "a") }, "1 strings")
    refused(Onnx.tensor("t", 1, [1]) { $0.int(14, 1) }, "location")
  }

  @Test func depthIsLimited() throws {
    // A graph in an attribute of a node of a graph in an attribute …
    var graph = Message()
    for _ in 0..<200 {
      let inner = graph
      graph = Message { $0.message(1) { $0.message(5) { a in
        a.text(1, "body")
        a.message(6, inner)
        a.int(20, 5)
      } } }
    }
    let error = #expect(throws: BackplaneError.self) { try model(Message { $0.message(7, graph) }.bytes) }
    #expect(error?.description.contains("deep") == true, "\(String(describing: error))")
  }

  @Test func everyTruncationAndManyFlippedBytesEndInAnAnswer() throws {
    let bytes = ReaderTests.softmax.bytes
    for length in 0..<bytes.count { _ = try? model(Array(bytes[..<length])) }
    var random = SeededGenerator(seed: 7)
    var refused = 0
    for _ in 0..<4000 {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) { changed[Int.random(in: changed.indices, using: &random)] = UInt8.random(in: .min ... .max, using: &random) }
      do throws(BackplaneError) {
        // What can still be read must also import or be refused.
        let model = try model(changed)
        let x = ONNXTensor(name: "x", .float, [2, 3], bytes: [UInt8](repeating: 0, count: 24))
        _ = try ONNXImport(model, given: Dictionary(uniqueKeysWithValues: Set(model.graph.inputs.map(\.name)).map { ($0, x) }))
      } catch { refused += 1 }
    }
    #expect(refused > 1000)
  }

  /// Attributes and operands of any value, on operands of any shape: each model imports, or is refused.
  @Test func hostileAttributesAndShapesEndInAnAnswer() throws {
    var random = SeededGenerator(seed: 11)
    let extremes: [Int64] = [0, 1, -1, 2, 3, -2, 7, 4096, 1 << 31, -(1 << 31), 1 << 40, .max, .min]
    let shapes = [[], [0], [1], [4], [2, 3], [0, 1 << 30], [1, 2, 3, 4], [2, 4, 4, 4], [1, 0, 2, 2], [2, 2, 2, 2, 2]]
    let names = ["axis", "keepdims", "blocksize", "num_groups", "to", "k", "depth", "transA", "q_num_heads", "kv_num_heads", "rotary_embedding_dim", "num_heads", "block_size",
                 "is_causal", "upper", "batch_dims", "start", "end", "noop_with_empty_axes", "qk_matmul_output_mode", "interleaved", "ignore_index"]
    var (imported, refused) = (0, 0)
    for op in ONNXRules.all.keys.sorted() + ["Shape", "Size", "ConstantOfShape", "Range", "Constant"] {
      for _ in 0..<60 {
        var given: [String: ONNXTensor] = [:]
        var (inputs, initializers): ([Message], [Message]) = ([], [])
        let count = Int.random(in: 1...5, using: &random)
        for i in 0..<count {
          if Bool.random(using: &random) {
            let shape = shapes.randomElement(using: &random)!, n = shape.reduce(1, *)
            given["x\(i)"] = ONNXTensor(name: "x\(i)", .float, shape, bytes: [UInt8](repeating: 0, count: n * 4))
            inputs.append(Onnx.value("x\(i)", 1, shape))
          } else {
            let values = (0..<Int.random(in: 0...4, using: &random)).map { _ in extremes.randomElement(using: &random)! }
            let bytes = values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
            if Bool.random(using: &random) { initializers.append(Onnx.ints("x\(i)", [values.count], values)) } else {
              given["x\(i)"] = ONNXTensor(name: "x\(i)", .int64, [values.count], bytes: bytes)
              inputs.append(Onnx.value("x\(i)", 7, [values.count]))
            }
          }
        }
        var attributes: [String: Int] = [:]
        for _ in 0..<3 { attributes[names.randomElement(using: &random)!] = Int(extremes.randomElement(using: &random)!) }
        let outputs = (0..<Int.random(in: 1...4, using: &random)).map { "y\($0)" }
        let message = Onnx.model([Onnx.node(op, (0..<count).map { "x\($0)" }, outputs, ints: attributes)], inputs: inputs, outputs: [Onnx.value("y0", 1, [])],
                                 initializers: initializers, opset: [1, 9, 11, 13, 18, 23].randomElement(using: &random)!)
        do throws(BackplaneError) {
          _ = try ONNXImport(try model(message.bytes), given: given)
          imported += 1
        } catch { refused += 1 }
      }
    }
    #expect(imported > 100 && refused > 1000, "\(imported) imported, \(refused) refused")
  }

  @Test func externalDataStayInTheModelsFolder() throws {
    let folder = try TemporaryFolder(), outside = try TemporaryFolder()
    try Data([0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]).write(to: URL(fileURLWithPath: folder.path + "/weights"))
    try Data([0, 0, 0x80, 0x3F]).write(to: URL(fileURLWithPath: outside.path + "/secret"))
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: outside.path + "/secret")
    func read(_ entries: [String: String]) throws -> ONNXTensor {
      let message = Onnx.tensor("t", 1, [1]) { t in
        for (key, value) in entries { t.message(13) { $0.text(1, key); $0.text(2, value) } }
        t.int(14, 1)
      }
      let path = folder.path + "/t.pb"
      try Data(message.bytes).write(to: URL(fileURLWithPath: path))
      return try ONNXTensor(path: path)
    }
    #expect(try read(["location": "weights", "offset": "4", "length": "4"]).numbers == [2])
    for location in ["../\(URL(fileURLWithPath: outside.path).lastPathComponent)/secret", "/etc/hostname", "link"] {
      let error = #expect(throws: BackplaneError.self) { try read(["location": location, "length": "4"]) }
      #expect(error?.description.contains("outside") == true, "\(location): \(String(describing: error))")
    }
    for entries in [["location": "weights", "offset": "6"], ["location": "weights", "offset": "-1"], ["location": "weights", "length": "x"], ["location": "absent"]] {
      let error = #expect(throws: BackplaneError.self) { try read(entries) }
      #expect(error?.kind == .file)
    }
  }
}
