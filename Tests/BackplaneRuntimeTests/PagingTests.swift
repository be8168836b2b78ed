import BackplaneCore
@testable import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Testing
import _TestSupport

@Suite struct PagingTests {
  private static let width = 512, layers = 8
  private static var weightBytes: Int { width * width * 4 }

  /// A chain of products with weights from one mapped file.
  private func chain(_ folder: TemporaryFolder) throws -> (graph: Graph, x: TensorID, y: TensorID, file: MappedFile, weights: [TensorID: ConstantSource]) {
    let width = PagingTests.width
    var numbers = [Float](repeating: 0, count: width * width * PagingTests.layers)
    // Permutations, each scaled: products stay as large as they are.
    for layer in 0..<PagingTests.layers { for row in 0..<width { numbers[(layer * width + row) * width + (row * 5 + layer) % width] = row % 2 == 0 ? 1 : -1 } }
    let path = folder.path + "/weights"
    try numbers.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: path))
    let file = try MappedFile(path)
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [1, 512])
    var y = x
    var weights: [TensorID: ConstantSource] = [:]
    for layer in 0..<PagingTests.layers {
      let weight = builder.constant("w\(layer)", .f32, [512, 512])
      weights[weight] = try ConstantSource(file, offset: layer * PagingTests.weightBytes, byteCount: PagingTests.weightBytes)
      y = try builder.apply("matmul", [y, weight])[0]!
    }
    builder.output(y)
    return (builder.graph, x, y, file, weights)
  }

  /// Bytes of the file that are in this process's memory.
  private func residentBytes(_ file: MappedFile) throws -> Int {
    let start = String(UInt(bitPattern: file.bytes.baseAddress), radix: 16)
    // Piece by piece: the kernel gives a page at a time, and says that the file is empty.
    let smaps = open("/proc/self/smaps", O_RDONLY)
    defer { close(smaps) }
    var text: [UInt8] = [], piece = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(smaps, &piece, piece.count), count > 0 { text += piece[..<count] }
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    let at = try #require(lines.firstIndex { $0.drop { $0 == "0" }.hasPrefix(start + "-") })
    let line = try #require(lines[at...].first { $0.hasPrefix("Rss:") })
    return try #require(line.split(separator: " ").compactMap { Int($0) }.first) * 1024
  }

  @Test(arguments: [0, 3, 100]) func weightsThatAreNotKeptLeaveMemoryAndComeBack(kept: Int) throws {
    let folder = try TemporaryFolder(), (runtime, _) = try makeRuntime()
    let (graph, x, y, file, weights) = try chain(folder)
    let input = (0..<512).map { Float($0 % 13) - 6 }
    var options = CompileOptions(devices: runtime.devices)
    let plain = try Session(try runtime.compile(graph, options), constants: weights)
    plain.write(input, to: x)
    try plain.run()
    let expected = plain.read(y, as: Float.self)
    #expect(try residentBytes(file) >= PagingTests.layers * PagingTests.weightBytes)
    file.advise(.dontNeed)
    options.weightBytesPerProgram = PagingTests.weightBytes
    let paged = try Session(try runtime.compile(graph, options), constants: weights, pagesWeights: true)
    #expect(paged.compiled.programCount == PagingTests.layers)
    paged.keepWeights(within: (kept + 1) * PagingTests.weightBytes)
    for _ in 0..<2 {
      paged.write(input, to: x)
      try paged.run()
      #expect(paged.read(y, as: Float.self) == expected)
      let stays = min(kept, PagingTests.layers) * PagingTests.weightBytes
      #expect(try #require(paged.paging).kept == stays)
      #expect(try residentBytes(file) <= stays + 1 << 17)
    }
  }

  @Test func aWeightThatIsTooLargeIsCutIntoRows() throws {
    let folder = try TemporaryFolder()
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: FakeDeviceOptions.everything.union(["concat"]))])
    let (graph, x, y, _, weights) = try chain(folder)
    let input = (0..<512).map { Float($0 % 7) }
    let whole = try Session(try runtime.compile(graph), constants: weights)
    var options = CompileOptions(devices: runtime.devices)
    options.weightBytesPerProgram = PagingTests.weightBytes / 3
    let cut = try Session(try runtime.compile(graph, options), constants: weights, pagesWeights: true)
    #expect(cut.compiled.graph.nodes.count { $0.op == "matmul" } == 4 * PagingTests.layers && cut.compiled.graph.nodes.count { $0.op == "concat" } == PagingTests.layers)
    #expect(try #require(cut.paging).window <= PagingTests.weightBytes / 3)
    for session in [whole, cut] {
      session.write(input, to: x)
      try session.run()
    }
    #expect(cut.read(y, as: Float.self) == whole.read(y, as: Float.self))
  }
}
