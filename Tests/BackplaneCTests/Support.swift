import BackplaneABI
import BackplaneC
import BackplaneCHeader
import BackplaneModels
import BackplaneReference
import Foundation
import Testing
import _TestSupport

/// One test at a time: handles that the fuzzer guesses could be another test's.
@Suite(.serialized) enum CInterface {}

/// A record of backplane.h with its size set.
func sized<T>(_ record: T) -> T {
  var record = record
  withUnsafeMutableBytes(of: &record) { $0.storeBytes(of: UInt32(MemoryLayout<T>.size), as: UInt32.self) }
  return record
}

/// A call that must succeed.
func must(_ body: (UnsafeMutablePointer<bp_failure>) -> Int32, sourceLocation: SourceLocation = #_sourceLocation) throws {
  var failure = sized(bp_failure())
  let status = body(&failure)
  try #require(status == BP_OK, "\(status): \(message(failure))", sourceLocation: sourceLocation)
}

/// A call that must be refused with this code, and with these words.
func refused(_ code: Int32, _ words: String..., by body: (UnsafeMutablePointer<bp_failure>) -> Int32, sourceLocation: SourceLocation = #_sourceLocation) {
  var failure = sized(bp_failure())
  let status = body(&failure)
  #expect(status == code, "\(status): \(message(failure))", sourceLocation: sourceLocation)
  #expect(failure.code == code, sourceLocation: sourceLocation)
  for word in words { #expect(message(failure).contains(word), "'\(word)' is not in: \(message(failure))", sourceLocation: sourceLocation) }
}

func message(_ failure: bp_failure) -> String { withUnsafeBytes(of: failure.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

/// What a function gives to (buffer, capacity, needed).
func text(_ body: (UnsafeMutablePointer<CChar>?, Int, UnsafeMutablePointer<Int>, UnsafeMutablePointer<bp_failure>) -> Int32) throws -> String {
  var (failure, needed) = (sized(bp_failure()), 0)
  try #require(body(nil, 0, &needed, &failure) == BP_MORE, "\(message(failure))")
  var buffer = [CChar](repeating: 1, count: needed)
  try #require(body(&buffer, needed, &needed, &failure) == BP_OK, "\(message(failure))")
  return String(decoding: buffer.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Frees handles with its own end.
final class Handles {
  private var all: [OpaquePointer] = []
  func keep(_ handle: OpaquePointer?) throws -> OpaquePointer {
    let handle = try #require(handle)
    all.append(handle)
    return handle
  }
  deinit { for handle in all.reversed() { _ = bp_free(UnsafeRawPointer(handle)) } }
}

extension Handles {
  /// A runtime whose one device is the oracle, so that these tests need no plugin.
  func runtime() throws -> OpaquePointer {
    var options = sized(bp_runtime_options())
    options.flags = BP_RUNTIME_ONLY_PATHS | BP_RUNTIME_NO_PROBE | BP_RUNTIME_QUIET
    options.threads = 2
    var runtime: bp_runtime?
    try must { bp_runtime_create(&options, &runtime, $0) }
    let kept = try keep(runtime)
    try must { bp_runtime_register(kept, ReferencePlugin.table, $0) }
    return kept
  }

  /// y[rows, 4] = x[rows, 4] + total, where the state total[4] becomes total + step[4] first.
  func example() throws -> (model: OpaquePointer, x: UInt32, step: UInt32, total: UInt32, y: UInt32) {
    var model: bp_model?
    try must { bp_model_create(&model, $0) }
    let kept = try keep(model)
    var (rows, x, step, total, sum, y): (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)
    try must { bp_model_symbol(kept, "rows", 0, 8, &rows, $0) }
    try must { bp_model_input(kept, "x", "f32", 2, [-Int64(rows), 4], &x, $0) }
    try must { bp_model_input(kept, "step", "f32", 1, [4], &step, $0) }
    try must { bp_model_state(kept, "total", "f32", 1, [4], &total, $0) }
    try must { bp_model_apply(kept, "add", [total, step], 2, nil, nil, 0, &sum, 1, $0) }
    #expect(sum == total)
    try must { bp_model_apply(kept, "add", [x, total], 2, nil, "y", BP_APPLY_KEEP_STATES, &y, 1, $0) }
    try must { bp_model_output(kept, y, nil, $0) }
    return (kept, x, step, total, y)
  }

  func compiled(_ runtime: OpaquePointer, _ model: OpaquePointer) throws -> OpaquePointer {
    var compiled: bp_compiled?
    try withOracle { options in try must { bp_model_compile(runtime, model, options, &compiled, $0) } }
    return try keep(compiled)
  }

  func session(_ runtime: OpaquePointer, _ model: OpaquePointer) throws -> OpaquePointer {
    let compiled = try compiled(runtime, model)
    var session: bp_session?
    try must { bp_session_create(compiled, &session, $0) }
    return try keep(session)
  }

  private func withOracle(_ body: (UnsafePointer<bp_compile_options>) throws -> Void) rethrows {
    try "reference".withCString { devices in
      var options = sized(bp_compile_options())
      options.devices = devices
      try body(&options)
    }
  }

  /// A small language model with random weights, compiled for the oracle.
  func generator(_ runtime: OpaquePointer, _ folder: TemporaryFolder) throws -> (model: OpaquePointer, generator: OpaquePointer) {
    let path = folder.path + "/model.gguf"
    try SyntheticModel.write(to: path, architecture: .llama, seed: 3)
    var (model, generator): (bp_model?, bp_generator?) = (nil, nil)
    var load = sized(bp_load_options())
    load.context_length = 64
    try must { bp_model_load(path, &load, &model, $0) }
    let kept = try keep(model)
    try withOracle { options in try must { bp_generator_create(runtime, kept, options, &generator, $0) } }
    return (kept, try keep(generator))
  }
}
