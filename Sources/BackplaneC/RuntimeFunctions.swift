import Backplane
import BackplaneABI
import BackplaneCHeader
import Foundation

/// `bp_runtime`.
final class RuntimeObject: Sendable {
  let runtime: Runtime
  init(_ runtime: Runtime) { self.runtime = runtime }
}

/// `bp_cancellation`.
final class CancellationObject: Sendable {
  let token = CancellationToken()

  static func token(_ handle: OpaquePointer?) throws(BackplaneError) -> CancellationToken? {
    if handle == nil { return nil }
    return try HandleTable.shared.object(handle, "cancellation", as: CancellationObject.self).token
  }
}

private let versionText: StaticString = "0.1.0"

@c @implementation public func bp_api_version() -> UInt32 { 0x0001_0000 }

@c @implementation public func bp_version() -> UnsafePointer<CChar>? {
  UnsafeRawPointer(versionText.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation public func bp_free(_ handle: UnsafeRawPointer?) -> Int32 {
  guard let handle else { return BP_OK }
  return answer(nil) {
    try HandleTable.shared.remove(OpaquePointer(handle))
    return BP_OK
  }
}

@c @implementation public func bp_runtime_create(_ given: UnsafePointer<bp_runtime_options>?, _ runtime: UnsafeMutablePointer<bp_runtime?>?,
                                                 _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let runtime = try place(runtime, "runtime")
    let made = Runtime(try runtimeOptions(options(given, bp_runtime_options(), "options")))
    runtime.pointee = try HandleTable.shared.insert(RuntimeObject(made))
    return BP_OK
  }
}

private func runtimeOptions(_ given: bp_runtime_options) throws(BackplaneError) -> Runtime.Options {
  var options = Runtime.Options()
  guard given.threads <= 1024 else { throw BackplaneError(.invalid, "options->threads is \(given.threads); 1024 are possible") }
  if given.threads > 0 { options.threads = Int(given.threads) }
  for path in try array(given.plugin_paths, given.n_plugin_paths, "options->plugin_paths") { options.pluginPaths.append(try text(path, "a plugin path")) }
  for setting in try array(given.settings, given.n_settings, "options->settings") {
    let setting = try text(setting, "a setting")
    let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts[0].isEmpty else { throw BackplaneError(.invalid, "the setting \"\(setting)\" is not of the form key=value") }
    options.settings[parts[0]] = parts[1]
  }
  options.searchesForPlugins = given.flags & BP_RUNTIME_ONLY_PATHS == 0
  if given.flags & BP_RUNTIME_NO_PROBE != 0 { options.probe = .off }
  if given.log_level != 0 {
    guard let level = LogLevel(rawValue: UInt32(bitPattern: given.log_level &- 1)) else {
      throw BackplaneError(.invalid, "options->log_level is \(given.log_level)", hint: "0 for the default, or 1 (errors) to 5 (trace)")
    }
    options.logLevel = level
  }
  if let log = given.log {
    let foreign = Foreign((log: log, user: given.log_user))
    options.log = { message in
      let (log, user) = foreign.value
      let fields = message.fields.map { " \($0.name)=\($0.value)" }.joined()
      message.category.withCString { category in (message.text + fields).withCString { log(user, Int32(message.level.rawValue), category, $0) } }
    }
  } else if given.flags & BP_RUNTIME_QUIET != 0 {
    options.log = { _ in }
  }
  return options
}

@c @implementation public func bp_runtime_register(_ runtime: bp_runtime?, _ plugin: UnsafePointer<bp_plugin>?,
                                                   _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let runtime: RuntimeObject = try HandleTable.shared.object(runtime, "runtime")
    guard let plugin else { throw BackplaneError(.invalid, "plugin is NULL") }
    try runtime.runtime.register(inProcess: plugin)
    return BP_OK
  }
}

@c @implementation public func bp_runtime_devices(_ runtime: bp_runtime?, _ json: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?,
                                                  _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let runtime: RuntimeObject = try HandleTable.shared.object(runtime, "runtime")
    return try give(runtime.runtime.registry.deviceReport().json(), json, capacity, needed)
  }
}

@c @implementation public func bp_memory(_ stats: UnsafeMutablePointer<bp_memory_stats>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let report = MemoryReport.current()
    var record = bp_memory_stats()
    record.live_handles = UInt32(clamping: HandleTable.shared.count)
    (record.resident, record.peak_resident) = (UInt64(report.resident), UInt64(report.peakResident))
    (record.proportional, record.proportional_file) = (UInt64(report.proportional), UInt64(report.proportionalFile))
    try write(record, to: place(stats, "stats"), "stats")
    return BP_OK
  }
}

@c @implementation public func bp_cancellation_create(_ cancellation: UnsafeMutablePointer<bp_cancellation?>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let cancellation = try place(cancellation, "cancellation")
    cancellation.pointee = try HandleTable.shared.insert(CancellationObject())
    return BP_OK
  }
}

@c @implementation public func bp_cancellation_cancel(_ cancellation: bp_cancellation?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    try HandleTable.shared.object(cancellation, "cancellation", as: CancellationObject.self).token.cancel()
    return BP_OK
  }
}

@c @implementation public func bp_cancellation_reset(_ cancellation: bp_cancellation?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    try HandleTable.shared.object(cancellation, "cancellation", as: CancellationObject.self).token.reset()
    return BP_OK
  }
}
