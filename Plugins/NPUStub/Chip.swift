import BackplaneABI
import BackplanePluginKit
import Glibc

/// What a simulated chip is like: sizes, rates and energies. Specs/npu-chip.md says what each number means.
struct Chip {
  var name = "Stub N1"
  var scratchpadBytes = 1 << 20
  var clockMHz = 1000.0
  var macsPerCycleInt8 = 4096.0
  var macsPerCycleFloat = 512.0
  var vectorLanes = 64.0
  var dmaBytesPerCycle = 32.0
  var dmaLatencyCycles = 200.0
  var launchCycles = 2000.0
  var picojoulesPerMacInt8 = 0.3
  var picojoulesPerMacFloat = 1.2
  var picojoulesPerVectorOperation = 0.8
  var picojoulesPerByte = 20.0
  var idleMilliwatts = 50.0
  /// Elements of an activation row that share an int8 scale; 0: the row. With f16 activations it does not matter.
  var activationBlock = 32
  var hasInt8Activations = true
  /// Of device memory; 0 unlimited.
  var memoryBytes = 0
  /// Host milliseconds that each compilation takes longer than it must: real compilers are slow.
  var compileMilliseconds = 0

  /// Everything that compiled programs and answers depend on, as one number.
  var hash: UInt64 { identifier("\(self)") }

  /// - Throws: `BP_E_INVALID` naming the file and what is wrong with it.
  init(path: String) throws(PluginError) {
    let text = try Chip.read(path)
    var reader = FlatJSON(text)
    do throws(FlatJSON.Fault) {
      for (key, value) in try reader.object() { try set(key, value) }
      try check()
    } catch {
      throw .invalid("npu.chip: \(path): \(error.text)")
    }
  }

  init() {}

  private mutating func set(_ key: String, _ value: FlatJSON.Value) throws(FlatJSON.Fault) {
    func number(_ range: ClosedRange<Double>) throws(FlatJSON.Fault) -> Double {
      guard case .number(let x) = value, range.contains(x) else { throw FlatJSON.Fault(text: "\"\(key)\" must be a number from \(range.lowerBound) to \(range.upperBound)") }
      return x
    }
    switch key {
    case "name": if case .string(let text) = value { name = text } else { throw FlatJSON.Fault(text: "\"name\" must be a string") }
    case "scratchpad_bytes": scratchpadBytes = Int(try number(4096...1_073_741_824))
    case "clock_mhz": clockMHz = try number(1...100_000)
    case "macs_per_cycle_int8": macsPerCycleInt8 = try number(1...1e9)
    case "macs_per_cycle_float": macsPerCycleFloat = try number(1...1e9)
    case "vector_lanes": vectorLanes = try number(1...1e6)
    case "dma_bytes_per_cycle": dmaBytesPerCycle = try number(0.001...1e6)
    case "dma_latency_cycles": dmaLatencyCycles = try number(0...1e9)
    case "launch_cycles": launchCycles = try number(0...1e9)
    case "pj_per_mac_int8": picojoulesPerMacInt8 = try number(0...1e6)
    case "pj_per_mac_float": picojoulesPerMacFloat = try number(0...1e6)
    case "pj_per_vector_operation": picojoulesPerVectorOperation = try number(0...1e6)
    case "pj_per_byte": picojoulesPerByte = try number(0...1e6)
    case "idle_mw": idleMilliwatts = try number(0...1e6)
    case "activation_block": activationBlock = Int(try number(0...65536))
    case "memory_bytes": memoryBytes = Int(try number(0...1e15))
    case "compile_ms": compileMilliseconds = Int(try number(0...600_000))
    case "activations":
      switch value {
      case .string("int8"): hasInt8Activations = true
      case .string("f16"): hasInt8Activations = false
      default: throw FlatJSON.Fault(text: "\"activations\" must be \"int8\" or \"f16\"")
      }
    default: throw FlatJSON.Fault(text: "\"\(key)\" is not known")
    }
  }

  private func check() throws(FlatJSON.Fault) {
    guard activationBlock % 32 == 0 else { throw FlatJSON.Fault(text: "\"activation_block\" is \(activationBlock); it must be 0 or a multiple of 32") }
  }

  private static func read(_ path: String) throws(PluginError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw PluginError(BP_E_INVALID, "npu.chip: \(path) cannot be read: \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = Glibc.read(file, &bytes, bytes.count)
    return Array(bytes[0..<max(count, 0)])
  }
}

/// Reads one JSON object whose values are numbers and strings: all that a chip description needs.
struct FlatJSON {
  enum Value: Equatable { case number(Double), string(String) }
  struct Fault: Error { var text: String }
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func object() throws(Fault) -> [(String, Value)] {
    var members: [(String, Value)] = []
    try expect("{")
    if peek() != UInt8(ascii: "}") {
      while true {
        let key = try string()
        try expect(":")
        members.append((key, peek() == UInt8(ascii: "\"") ? .string(try string()) : .number(try number())))
        if peek() != UInt8(ascii: ",") { break }
        at += 1
      }
    }
    try expect("}")
    if peek() != nil { throw Fault(text: "there is more behind the object, at byte \(at)") }
    return members
  }

  /// The next byte that is no white space.
  private mutating func peek() -> UInt8? {
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    return at < bytes.count ? bytes[at] : nil
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(Fault) {
    guard peek() == UInt8(ascii: character) else { throw Fault(text: "'\(character)' is expected at byte \(at)") }
    at += 1
  }

  private mutating func string() throws(Fault) -> String {
    try expect("\"")
    guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "\"")), !bytes[at..<end].contains(UInt8(ascii: "\\")) else {
      throw Fault(text: "a plain string, without escapes, is expected at byte \(at)")
    }
    defer { at = end + 1 }
    return String(decoding: bytes[at..<end], as: UTF8.self)
  }

  private mutating func number() throws(Fault) -> Double {
    _ = peek()
    let start = at
    while at < bytes.count, "+-.eE0123456789".utf8.contains(bytes[at]) { at += 1 }
    guard let value = Double(String(decoding: bytes[start..<at], as: UTF8.self)) else { throw Fault(text: "a number is expected at byte \(start)") }
    return value
  }
}
