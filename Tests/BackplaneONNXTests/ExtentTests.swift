import BackplaneCore
@testable import BackplaneONNX
import Testing

/// Models imported without values for their inputs.
@Suite struct ExtentTests {
  private func model() throws -> ONNXModel {
    let x = Message { v in
      v.text(1, "x")
      v.message(2) { $0.message(1) { t in
        t.int(1, 1)
        t.message(2) { s in
          s.message(1) { $0.text(2, "batch") }
          s.message(1) { $0.int(1, 3) }
        }
      } }
    }
    let bytes = Onnx.model([Onnx.node("Softmax", ["x"], ["y"], ints: ["axis": 1])], inputs: [x], outputs: [Onnx.value("y", 1, [2, 3])], initializers: []).bytes
    let result: Result<ONNXModel, BackplaneError> = bytes.withUnsafeBytes { memory in
      Result { () throws(BackplaneError) in
        var reader = ProtobufReader(memory)
        return try ONNXModel(&reader, folder: nil)
      }
    }
    return try result.get()
  }

  @Test func namesOfExtentsGetTheCallersValues() throws {
    let imported = try ONNXImport(model(), extents: ["batch": 5])
    #expect(imported.graph[imported.inputs[0].id].shape == [5, 3])
    #expect(imported.graph.outputs.map { imported.graph[$0].name } == ["y"])
  }

  @Test func aNameWithoutAValueAndAnImpossibleOneAreRefused() throws {
    #expect(throws: BackplaneError(.unsupported, "")) { try ONNXImport(model()) }
    #expect(throws: BackplaneError(.unsupported, "")) { try ONNXImport(model(), extents: ["batch": 1 << 50]) }
  }
}
