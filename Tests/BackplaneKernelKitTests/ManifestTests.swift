import BackplaneCore
@testable import BackplaneKernelKit
import Foundation
import Testing
import _TestSupport

/// Manifests: what is wrong with one is said with file, place and value.
@Suite struct ManifestTests {
  private static let kernel = """
    "k": {"source": "k.cl", "arguments": ["buffer x", "int n = extent1(x)", "float alpha"], "global": ["n"], "local": [1]}
    """

  @Test func aManifestIsRead() throws {
    let text = """
      {"format": 1, "kernels": {\(ManifestTests.kernel)}, "parameters": {"chunk": {"cpu": 8, "gpu": 2}},
       "variants": [{"name": "v", "operators": ["relu"], "inputs": ["x: @float", "bias?: f32", "more*"], "outputs": ["y: =x"], "launches": [{"kernel": "k"}]}]}
      """
    let manifest = try KernelManifest(text: text, file: "m.json", isUsers: false)
    #expect(manifest.kernels["k"]?.arguments.count == 3)
    let variant = try #require(manifest.variants.first)
    #expect(variant.inputs.map(\.name) == ["x", "bias", "more"])
    #expect(variant.inputs[0].formats == ["f32", "f16", "bf16"])
    #expect(variant.inputs.map(\.isOptional) == [false, true, false] && variant.inputs[2].isVariadic)
    #expect(variant.outputs[0].sameAs == "x")
    #expect(variant.parameters.first?.onCPU == 8 && variant.parameters.first?.onGPU == 2)
  }

  @Test(arguments: [
    ("{", "line 1"),
    (#"{"format": 2}"#, "this build reads 1"),
    (#"{"format": 1, "kernel": {}}"#, "'kernel' is not a known field"),
    (#"{"format": 1, "kernels": {"k": {"source": "k.cl", "arguments": ["pointer x"], "global": [1], "local": [1]}}}"#, "pointer x"),
    (#"{"format": 1, "kernels": {"k": {"source": "k.cl", "arguments": ["int n = 3 +"], "global": [1], "local": [1]}}}"#, "expected a value"),
    (#"{"format": 1, "kernels": {"k": {"source": "k.cl", "global": [1, 1], "local": [1]}}}"#, "same number of dimensions"),
    (#"{"format": 1, "variants": [{"name": "v", "operators": []}]}"#, "names none"),
    (#"{"format": 1, "variants": [{"name": "v", "operators": ["add"]}]}"#, "must say what runs"),
    (#"{"format": 1, "variants": [{"name": "v", "operators": ["add"], "launches": [{"kernel": "k"}], "require": [{"that": "1", "reason": "BAD"}]}]}"#, "is 'BAD'"),
  ])
  func whatIsWrongIsSaid(_ text: String, _ words: String) {
    do {
      _ = try KernelManifest(text: text, file: "m.json", isUsers: false)
      Issue.record("\(text) was taken")
    } catch {
      #expect("\(error)".contains(words) && "\(error)".contains("m.json"), "\(error)")
    }
  }

  @Test func aSourceThatIsNotThereIsNamed() {
    let manifest = #"{"format": 1, "kernels": {"k": {"source": "gone.cl", "global": [1], "local": [1]}}}"#
    #expect(throws: (any Error).self) { try KernelLibrary(files: [("m.json", manifest)], suffix: ".cl", userFolder: nil) }
  }

  @Test func aBrokenFileOfTheUserIsLeftOutAndTold() throws {
    let folder = try TemporaryFolder()
    try "{".write(toFile: folder.path + "/mine.json", atomically: true, encoding: .utf8)
    let library = try KernelLibrary(files: [], suffix: ".cl", userFolder: folder.path)
    #expect(library.problems.count == 1 && library.problems[0].contains("mine.json"), "\(library.problems)")
  }

  @Test func includesAreExpandedOnceWithTheirLines() throws {
    let library = try KernelLibrary(files: [
      ("a.cl", "#include \"b.cl\"\nint a;\n"), ("b.cl", "#include \"c.cl\"\nint b;"), ("c.cl", "int c;"), ("d.cl", "#include \"gone.cl\""),
    ], suffix: ".cl", userFolder: nil)
    let text = try library.expanded("a.cl")
    #expect(text.components(separatedBy: "int c;").count == 2)
    #expect(text.contains("#line 2 \"a.cl\"\nint a;"))
    #expect(throws: (any Error).self) { try library.expanded("d.cl") }
  }
}

/// The OpenCL kernels of this checkout.
@Suite struct OpenCLManifestTests {
  private static let folder = packageFolder + "/Kernels/OpenCL"
  private static let paths = (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? [])
    .filter { $0.hasSuffix(".cl") || $0.hasSuffix(".json") }.sorted()

  @Test func everyFileIsPartOfThePlugin() throws {
    let table = try String(contentsOfFile: OpenCLManifestTests.folder + "/host/table.c", encoding: .utf8)
    #expect(OpenCLManifestTests.paths.count > 20)
    for path in OpenCLManifestTests.paths {
      #expect(table.contains("#embed \"../\(path)\"") && table.contains("FILE(\"\(path)\""), "\(path) is not in table.c")
    }
  }

  @Test func everyManifestIsWholeAndFitsItsSources() throws {
    let files = try OpenCLManifestTests.paths.map { ($0, try String(contentsOfFile: OpenCLManifestTests.folder + "/" + $0, encoding: .utf8)) }
    let library = try KernelLibrary(files: files, suffix: ".cl", userFolder: nil)
    #expect(library.operators.count >= 70)
    for variant in library.variants.values.joined() {
      for name in variant.kernelNames {
        let kernel = try library.kernel(name)
        let text = try library.expanded(kernel.source)
        #expect(text.contains("kernel void \(kernel.entry)("), "\(kernel.source) has no kernel \(kernel.entry)")
        // One parameter in the source for each argument: a buffer is IN(…) or OUT(…).
        let start = text.range(of: "kernel void \(kernel.entry)(")!.upperBound
        let parameters = text[start..<text.range(of: ") {", range: start..<text.endIndex)!.lowerBound].split(separator: ",").count
        #expect(parameters == kernel.arguments.count, "\(kernel.entry) of \(kernel.source) takes \(parameters), the manifest gives \(kernel.arguments.count)")
      }
    }
  }
}
