import Backplane
import BackplaneLimits
import BackplaneModels

/// What the machine can do at most, for the threads that are used.
struct MachineLimits {
  /// 10⁹ operations a second, by the name of the instructions; those that it has.
  let rates: [(name: String, kind: Int, rate: Double)]
  /// 10⁹ bytes a second, by footprint in bytes.
  let reads: [(bytes: Int, rate: Double)]
  let threads: Int
  /// Microseconds that a parallel region takes longer than its work, an item of 5 microseconds for each thread: median, least and largest of some rounds.
  let region: [String: Double]

  static let footprints = [16 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20]

  /// Takes some five seconds.
  static func measure(_ pool: ThreadPool) -> MachineLimits {
    let threads = pool.workerCount
    var rates: [(String, Int, Double)] = [], reads: [(Int, Double)] = []
    for kind in 0..<Int(BP_LIMIT_KINDS) {
      let rate = bp_limit_rate(Int32(kind), Int32(threads), 0.3)
      if rate > 0 { rates.append((String(cString: bp_limit_name(Int32(kind))), kind, rate)) }
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: footprints.max()!, alignment: 4096)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 1)
    for bytes in footprints { reads.append((bytes, bp_limit_read(memory.baseAddress!, bytes, Int32(threads), 0.3))) }
    return MachineLimits(rates: rates, reads: reads, threads: threads, region: region(pool))
  }

  private static func region(_ pool: ThreadPool) -> [String: Double] {
    let regions = 1000
    var clock = Stopwatch()
    var rounds: [Double] = []
    for round in 0...10 {
      _ = clock.lap()
      for _ in 0..<regions {
        pool.parallelFor(UInt64(pool.workerCount), { _, begin, end, _ in
          var clock = Stopwatch(), spent: UInt64 = 0
          while spent < 5000 * (end - begin) { spent += clock.lap() }
        }, nil)
      }
      if round > 0 { rounds.append(Double(clock.lap()) / 1000 / Double(regions) - 5) }
    }
    return summary(rounds)
  }

  /// The fastest of f32, or of 8-bit products where there are such.
  func rate(int8: Bool) -> Double {
    let eight = [Int(BP_LIMIT_INT8_256), Int(BP_LIMIT_INT8_512)], others = eight + [Int(BP_LIMIT_BF16_512)]
    let wanted = rates.filter { rate in int8 ? eight.contains(rate.kind) : !others.contains(rate.kind) }
    return wanted.map { $0.rate }.max() ?? rates.map { $0.rate }.max() ?? 0
  }

  /// Of reading so many bytes again and again: between two footprints that were measured, in proportion.
  func read(_ bytes: Int) -> Double {
    guard let upper = reads.firstIndex(where: { $0.bytes >= bytes }) else { return reads.last!.rate }
    guard upper > 0 else { return reads[0].rate }
    let (a, b) = (reads[upper - 1], reads[upper])
    return a.rate + (b.rate - a.rate) * Double(bytes - a.bytes) / Double(b.bytes - a.bytes)
  }

  /// Least seconds for so many operations and bytes: by arithmetic or by reading, whichever is longer.
  func leastSeconds(operations: Double, int8: Bool, bytes: Int) -> Double {
    max(operations / (rate(int8: int8) * 1e9), Double(bytes) / (read(bytes) * 1e9))
  }

  var record: [String: Any] {
    ["threads": threads, "gops": Dictionary(uniqueKeysWithValues: rates.map { ($0.name, $0.rate) }),
     "read_gbps": Dictionary(uniqueKeysWithValues: reads.map { ("\($0.bytes)", $0.rate) }), "region_microseconds": region]
  }

  func print() {
    Swift.print("limits of this machine, \(threads) threads")
    for rate in rates { Swift.print("  \(pad(rate.name, 30)) \(padLeft(Terminal.rounded(rate.rate, 0), 8)) G/s") }
    for read in reads { Swift.print("  \(pad("read \(read.bytes >> 10) KiB", 30)) \(padLeft(Terminal.rounded(read.rate, 1), 8)) GB/s") }
    Swift.print("  \(pad("parallel region, beyond its work", 32)) \(padLeft(Terminal.rounded(region["median"]!, 2), 6)) us  (\(Terminal.rounded(region["minimum"]!, 2)) … \(Terminal.rounded(region["maximum"]!, 2)))")
  }
}

/// A graph of one operator on a device, ready to run again and again.
struct BenchedOperator {
  let work: BenchWork
  let session: Session
  let bytes: Int

  init(_ work: BenchWork, _ runtime: Runtime, _ devices: [Device], numerics: Numerics) throws {
    var builder = GraphBuilder()
    builder.numerics = numerics
    var constants: [TensorID: ConstantSource] = [:], inputs: [TensorID] = []
    for input in work.inputs {
      let shape = Shape(input.shape)
      let id = input.isConstant ? builder.constant(input.name, input.format, shape) : builder.input(input.name, input.format, shape)
      if input.isConstant { constants[id] = ConstantSource(BenchedOperator.numbers(input.format, count: input.shape.reduce(1, *))) }
      inputs.append(id)
    }
    let outputs = try builder.apply(work.op, inputs, work.attributes).compactMap { $0 }
    for output in outputs { builder.output(output) }
    bytes = work.bytes(outputs: outputs.map { builder[$0] })
    let compiled = try runtime.compile(builder.graph, CompileOptions(devices: devices))
    session = try Session(compiled, constants: constants)
    for (id, input) in zip(inputs, work.inputs) where !input.isConstant {
      session.inputPointer(id).copyBytes(from: BenchedOperator.numbers(input.format, count: input.shape.reduce(1, *)))
    }
    self.work = work
  }

  /// Bytes that are finite numbers of moderate size in any format, whatever they stand for in it.
  private static func numbers(_ format: ElementFormat, count: Int) -> [UInt8] {
    var state: UInt64 = 1
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    let bytes = format.bytes(forElements: count)!
    return [UInt8](unsafeUninitializedCapacity: bytes) { buffer, initialized in
      let raw = UnsafeMutableRawBufferPointer(buffer)
      if format == .f32 {
        for i in 0..<bytes / 4 { raw.storeBytes(of: Float(next() % 2001) / 1000 - 1, toByteOffset: 4 * i, as: Float.self) }
      } else {
        for i in 0..<bytes { raw[i] = UInt8(0x20 + next() % 16) }  // f16 0x2020 … 0x2f2f: 0.008 … 0.11
      }
      initialized = bytes
    }
  }

  /// Microseconds of each run, after one that is not counted: for about that time, three at least.
  func measure(seconds: Double) throws -> [Double] {
    try session.run()
    var times: [Double] = [], sum = 0.0
    while times.count < 3 || (sum < seconds && times.count < 10_000) {
      let time = Double(try session.run().total) / 1e9
      times.append(time * 1e6)
      sum += time
    }
    return times
  }
}

/// A measured operator beside the limits.
struct BenchResult {
  let work: BenchWork
  let bytes: Int
  let microseconds: [String: Double]
  let limits: MachineLimits
  /// Medians of peers by name, in microseconds, and why others have none.
  var peers: [String: Double] = [:]
  var missing: [String: String] = [:]

  var seconds: Double { microseconds["median"]! / 1e6 }
  var gigaops: Double { work.operations / seconds / 1e9 }
  var gigabytes: Double { Double(bytes) / seconds / 1e9 }
  /// Least time that the machine allows over the time taken.
  var share: Double { limits.leastSeconds(operations: work.operations, int8: work.op == "matmul" && work.format.kind == .block, bytes: bytes) / seconds }

  var record: [String: Any] {
    ["name": work.name, "op": work.op, "format": work.format.name, "sizes": work.sizes, "microseconds": microseconds, "gflops": gigaops, "gbps": gigabytes,
     "bytes": bytes, "share_of_limit": share, "peers": peers, "missing_peers": missing]
  }

  private static let widths = [11, 20, 10, 8, 10]

  /// One line of the table: the name, then columns from the right.
  private static func line(_ name: String, _ columns: [String], _ ratios: [String]) -> String {
    var line = pad(name, 44)
    for (text, width) in zip(columns, widths) { line += padLeft(text, width) }
    for text in ratios { line += padLeft(text, 14) }
    return line
  }
  static func printHeader(_ peers: [String]) { Swift.print(line("", ["median us", "spread", "GFLOP/s", "GB/s", "of limit"], peers)) }

  func print(_ peerNames: [String]) {
    let median = microseconds["median"]!
    let spread = "\(Terminal.rounded(microseconds["minimum"]!, 1)) … \(Terminal.rounded(microseconds["maximum"]!, 1))"
    let rate = work.operations > 0 ? Terminal.rounded(gigaops, 1) : "–"
    let ratios = peerNames.map { name in peers[name].map { Terminal.rounded($0 / median, 2) + "x" } ?? "–" }
    let columns = [Terminal.rounded(median, 1), spread, rate, Terminal.rounded(gigabytes, 1), Terminal.rounded(100 * share, 0) + " %"]
    Swift.print(BenchResult.line(work.name, columns, ratios))
  }
}
