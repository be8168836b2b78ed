import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Testing
import _AllocationCounter

private func floats(_ count: Int, _ seed: Int) -> [Float] { (0..<count).map { Float(($0 * 7 + seed * 13) % 23) / 8 - 1 } }

/// y = relu(x + bias) * 2 + 1, then normalised; x has as many rows as the symbol says.
private struct Example {
  var graph: Graph
  let rows: Symbol, x: TensorID, bias: TensorID, y: TensorID
  static let width = 8

  init() throws {
    var builder = GraphBuilder()
    rows = builder.symbol("rows", 0...16)
    x = builder.input("x", .f32, [.symbol(rows), 8])
    bias = builder.constant("bias", .f32, [8])
    let sum = try builder.apply("add", [x, bias])[0]!
    let positive = try builder.apply("relu", [sum])[0]!
    let scaled = try builder.apply("scale", [positive], [Attribute("factor", .float(2)), Attribute("offset", .float(1))])[0]!
    y = try builder.apply("rms_norm", [scaled])[0]!
    builder.output(y, name: "y")
    graph = builder.graph
  }

  static func expected(_ x: [Float], _ bias: [Float]) -> [Float] {
    var y = x.indices.map { max(x[$0] + bias[$0 % width], 0) * 2 + 1 }
    for row in 0..<y.count / width {
      let slice = y[row * width..<(row + 1) * width]
      let factor = 1 / (slice.reduce(0) { $0 + $1 * $1 } / Float(width) + 1e-6).squareRoot()
      for i in slice.indices { y[i] *= factor }
    }
    return y
  }
}

private func isClose(_ a: [Float], _ b: [Float]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) } }

@Suite struct SessionTests {
  @Test func oneCompiledProgramServesSeveralValuesOfASymbol() throws {
    let (runtime, logs) = try makeRuntime()
    let example = try Example()
    let session = try Session(try runtime.compile(example.graph), constants: [example.bias: ConstantSource(floats(8, 1))])
    for rows in [1, 5, 16, 0, 3] {
      let x = floats(rows * 8, rows)
      session.write(x, to: example.x)
      try session.run(symbols: [example.rows: rows])
      #expect(isClose(session.read(example.y, as: Float.self, count: rows * 8), Example.expected(x, floats(8, 1))), "\(rows) rows")
    }
    #expect(logs[0].programs.load(ordering: .relaxed) == 1)
    #expect(logs[0].executions.load(ordering: .relaxed) == 5)
  }

  @Test(arguments: [(true, true), (false, true), (true, false)])
  func nodesOnTwoDevicesGiveWhatOneDeviceGives(isCoherent: Bool, imports: Bool) throws {
    var first = FakeDeviceOptions(ops: ["add", "scale"], cost: 10, importsHostMemory: imports, isCoherent: isCoherent)
    first.refusalDetail = "not on this one"
    let (runtime, logs) = try makeRuntime([first, FakeDeviceOptions(ops: ["relu", "rms_norm"], cost: 10)])
    let example = try Example()
    let compiled = try runtime.compile(example.graph, CompileOptions(devices: runtime.devices, fallback: .allow))
    #expect(compiled.report.programs.map(\.device) == ["fake:0", "fake:1", "fake:0", "fake:1"])
    #expect(compiled.report.copies.count == 3)
    let session = try Session(compiled, constants: [example.bias: ConstantSource(floats(8, 2))])
    #expect(session.notes.isEmpty == imports)
    for rows in [4, 16, 0] {
      let x = floats(rows * 8, rows + 1)
      session.write(x, to: example.x)
      let timing = try session.run(symbols: [example.rows: rows])
      #expect(isClose(session.read(example.y, as: Float.self, count: rows * 8), Example.expected(x, floats(8, 2))))
      #expect(timing.total >= timing.devices)
    }
    #expect(logs[1].executions.load(ordering: .relaxed) == 6)
  }

  @Test func statesPersistFromRunToRunAndCanBeReset() throws {
    let (runtime, _) = try makeRuntime()
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [4])
    let total = builder.state("total", .f32, [4])
    let updated = try builder.apply("add", [total, x])[0]!
    #expect(updated == total)
    let y = try builder.apply("scale", [total], [Attribute("factor", .float(10))], updatingStates: false)[0]!
    builder.output(y)
    let session = try Session(try runtime.compile(builder.graph))
    session.write([1, 2, 3, 4] as [Float], to: x)
    try session.run()
    try session.run()
    #expect(session.read(y, as: Float.self) == [20, 40, 60, 80])
    try session.resetStates()
    try session.run()
    #expect(session.read(y, as: Float.self) == [10, 20, 30, 40])
    let other = try Session(session.compiled)
    try other.run()
    #expect(other.read(y, as: Float.self) == [0, 0, 0, 0])
    let saved = try session.readState(total)
    try saved.withUnsafeBytes { try other.writeState(total, $0) }
    try other.run()
    #expect(other.read(y, as: Float.self) == [10, 20, 30, 40])
  }

  @Test func rowsAreScatteredIntoACache() throws {
    let (runtime, _) = try makeRuntime()
    var builder = GraphBuilder()
    let rows = builder.symbol("rows", 0...4)
    let update = builder.input("update", .f32, [.symbol(rows), 2])
    let positions = builder.input("positions", .i32, [.symbol(rows)])
    let cache = builder.state("cache", .f32, [6, 2])
    try builder.apply("tensor_scatter", [cache, update, positions])
    let y = try builder.apply("neg", [cache], updatingStates: false)[0]!
    builder.output(y)
    let session = try Session(try runtime.compile(builder.graph))
    session.write([1, 2, 3, 4] as [Float], to: update)
    session.write([0, 1] as [Int32], to: positions)
    try session.run(symbols: [rows: 2])
    session.write([5, 6] as [Float], to: update)
    session.write([4] as [Int32], to: positions)
    try session.run(symbols: [rows: 1])
    #expect(session.read(y, as: Float.self) == [-1, -2, -3, -4, 0, 0, 0, 0, -5, -6, 0, 0])
  }

  @Test func aMappedFileIsImportedOnceAndBoundByOffset() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("weights-\(UInt64.random(in: 0 ... .max))").path
    defer { unlink(path) }
    let (a, b) = (floats(4, 1), floats(4, 2))
    try Data(Array(repeating: 0, count: 32) + a.withUnsafeBytes { Array($0) } + b.withUnsafeBytes { Array($0) }).write(to: URL(fileURLWithPath: path))
    let file = try MappedFile(path)
    try file.checkUnchanged()
    let (runtime, logs) = try makeRuntime()
    var builder = GraphBuilder()
    let first = builder.constant("first", .f32, [4])
    let second = builder.constant("second", .f32, [4])
    let y = try builder.apply("add", [first, second])[0]!
    builder.output(y)
    let compiled = try runtime.compile(builder.graph)
    let sources = [first: try ConstantSource(file, offset: 32, byteCount: 16), second: try ConstantSource(file, offset: 48, byteCount: 16)]
    let session = try Session(compiled, constants: sources)
    let again = try Session(compiled, constants: sources)
    try session.run()
    try again.run()
    #expect(session.read(y, as: Float.self) == zip(a, b).map(+))
    #expect(again.read(y, as: Float.self) == zip(a, b).map(+))
    #expect(logs[0].imports.load(ordering: .relaxed) == 1)
    #expect(throws: BackplaneError.self) { try ConstantSource(file, offset: 60, byteCount: 16) }
  }

  @Test func afterAnErrorTheSessionRunsAgain() throws {
    let (runtime, logs) = try makeRuntime()
    let example = try Example()
    let session = try Session(try runtime.compile(example.graph), constants: [example.bias: ConstantSource(floats(8, 1))])
    session.write(floats(16, 1), to: example.x)
    logs[0].failures.store(1, ordering: .relaxed)
    let error = #expect(throws: BackplaneError.self) { try session.run(symbols: [example.rows: 2]) }
    #expect(error?.kind == .driver)
    #expect("\(error!)".contains("fake:0"))
    try session.run(symbols: [example.rows: 2])
    #expect(isClose(session.read(example.y, as: Float.self, count: 16), Example.expected(floats(16, 1), floats(8, 1))))
  }

  @Test func symbolsAndConstantsAreChecked() throws {
    let (runtime, _) = try makeRuntime()
    let example = try Example()
    let compiled = try runtime.compile(example.graph)
    let missing = #expect(throws: BackplaneError.self) { try Session(compiled) }
    #expect(missing?.message == "constant bias was not given")
    let wrong = #expect(throws: BackplaneError.self) { try Session(compiled, constants: [example.bias: ConstantSource(floats(7, 1))]) }
    #expect(wrong?.message == "constant bias[8] of f32 has 32 bytes, 28 were given")
    let session = try Session(compiled, constants: [example.bias: ConstantSource(floats(8, 1))])
    #expect(#expect(throws: BackplaneError.self) { try session.run() }?.message == "symbol rows has no value")
    #expect(#expect(throws: BackplaneError.self) { try session.run(symbols: [example.rows: 17]) }?.message == "symbol rows is 17, its bounds are 0…16")
  }

  @Test func aCancelledRunSaysSo() throws {
    let (runtime, _) = try makeRuntime()
    let example = try Example()
    let session = try Session(try runtime.compile(example.graph), constants: [example.bias: ConstantSource(floats(8, 1))])
    let token = CancellationToken()
    token.cancel()
    #expect(#expect(throws: BackplaneError.self) { try session.run(symbols: [example.rows: 1], cancellation: token) }?.kind == .cancelled)
    token.reset()
    try session.run(symbols: [example.rows: 1], cancellation: token)
  }

  @Test func aRunAllocatesNothing() throws {
    let before = allocation_count()
    let probe = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 64)
    probe.deallocate()
    guard allocation_count() > before else { return }  // under a sanitizer nothing is counted
    var isDebug = false
    assert({ isDebug = true; return true }())  // unoptimised Swift boxes what it iterates over
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "scale"]), FakeDeviceOptions(ops: ["relu", "rms_norm"])])
    let example = try Example()
    let compiled = try runtime.compile(example.graph, CompileOptions(devices: runtime.devices, fallback: .allow))
    let session = try Session(compiled, constants: [example.bias: ConstantSource(floats(8, 1))])
    var symbols: SymbolValues = [example.rows: 4]
    for _ in 0..<3 { try session.run(symbols: symbols) }
    let start = allocation_count()
    for rows in 1...16 {
      symbols[example.rows] = rows
      try session.run(symbols: symbols)
    }
    let count = allocation_count() - start
    #expect(count == 0 || isDebug, "\(count) allocations in 16 runs")
  }

  @Test func aGraphTooLargeForADeviceIsSplitThere() throws {
    let (runtime, logs) = try makeRuntime([FakeDeviceOptions(mostNodes: 3)])
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [100])
    var y = x
    for _ in 0..<10 { y = try builder.apply("scale", [y], [Attribute("factor", .float(1)), Attribute("offset", .float(1))])[0]! }
    builder.output(y)
    let compiled = try runtime.compile(builder.graph)
    #expect(compiled.report.programs.map(\.nodes) == [0..<3, 3..<6, 6..<9, 9..<10])
    #expect(logs[0].programs.load(ordering: .relaxed) == 4)
    let session = try Session(compiled)
    session.write(floats(100, 1), to: x)
    try session.run()
    #expect(isClose(session.read(y, as: Float.self), floats(100, 1).map { $0 + 10 }))
    // Three tensors cross programs, but only two are live at a time.
    #expect(compiled.memorySummaries[0].arenaBytes <= 2 * 448 + 2 * 448)
  }

  @Test func anOutputMayBeAnInputAndMayBeReadByOtherNodes() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(mostNodes: 1)])
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [4])
    let y = try builder.apply("neg", [x])[0]!
    let z = try builder.apply("neg", [y])[0]!
    for id in [x, y, z] { builder.output(id) }
    let session = try Session(try runtime.compile(builder.graph))
    session.write([1, 2, 3, 4] as [Float], to: x)
    try session.run()
    #expect(session.read(x, as: Float.self) == [1, 2, 3, 4])
    #expect(session.read(y, as: Float.self) == [-1, -2, -3, -4])
    #expect(session.read(z, as: Float.self) == [1, 2, 3, 4])
  }

  @Test func buffersAreGoneWhenTheSessionIs() throws {
    let (runtime, logs) = try makeRuntime()
    let example = try Example()
    do {
      let session = try Session(try runtime.compile(example.graph), constants: [example.bias: ConstantSource(floats(8, 1))])
      try session.run(symbols: [example.rows: 1])
      #expect(logs[0].buffers.load(ordering: .relaxed) > 0)
    }
    #expect(logs[0].buffers.load(ordering: .relaxed) == 0)
  }
}
