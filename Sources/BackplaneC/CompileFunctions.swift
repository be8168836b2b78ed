import Backplane
import BackplaneCHeader
import BackplaneModels
import Foundation

/// `bp_compiled`.
final class CompiledObject: Sendable {
  let compiled: CompiledGraph
  let constants: [TensorID: ConstantSource]

  init(_ compiled: CompiledGraph, _ constants: [TensorID: ConstantSource]) { (self.compiled, self.constants) = (compiled, constants) }
}

func compileOptions(_ given: UnsafePointer<bp_compile_options>?, _ runtime: Runtime) throws(BackplaneError) -> CompileOptions {
  let given = try options(given, bp_compile_options(), "options")
  var options = CompileOptions()
  switch given.fallback {
  case BP_FALLBACK_WARN: options.fallback = .warn
  case BP_FALLBACK_ALLOW: options.fallback = .allow
  case BP_FALLBACK_FORBID: options.fallback = .forbid
  default: throw BackplaneError(.invalid, "options->fallback is \(given.fallback)", hint: "0 warn, 1 allow, 2 forbid")
  }
  options.fuses = given.flags & BP_COMPILE_NO_FUSION == 0
  options.cancellation = try CancellationObject.token(given.cancellation)
  if let devices = given.devices {
    for name in try text(devices, "options->devices").split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
      if name == "auto" { options.devices += runtime.defaultDevices } else { options.devices.append(try runtime.device(name)) }
    }
  }
  return options
}

@c @implementation public func bp_model_compile(_ runtime: bp_runtime?, _ model: bp_model?, _ given: UnsafePointer<bp_compile_options>?,
                                                _ compiled: UnsafeMutablePointer<bp_compiled?>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let compiled = try place(compiled, "compiled")
    let runtime = try HandleTable.shared.object(runtime, "runtime", as: RuntimeObject.self).runtime
    let contents = try ModelObject.object(model).snapshot
    let made = try runtime.compile(contents.graph, compileOptions(given, runtime))
    compiled.pointee = try HandleTable.shared.insert(CompiledObject(made, contents.constants))
    return BP_OK
  }
}

@c @implementation public func bp_compiled_report(_ compiled: bp_compiled?, _ kind: UInt32, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
                                                  _ needed: UnsafeMutablePointer<Int>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let compiled = try HandleTable.shared.object(compiled, "compiled", as: CompiledObject.self).compiled
    let report: String
    switch kind {
    case BP_REPORT_PLACEMENT_TEXT: report = compiled.report.text
    case BP_REPORT_PLACEMENT_JSON: report = compiled.report.json
    case BP_REPORT_MEMORY_JSON: report = try memoryReport(compiled)
    default: throw BackplaneError(.invalid, "kind is \(kind)", hint: "0 placement as text, 1 placement as JSON, 2 memory as JSON")
    }
    return try give(report, text, capacity, needed)
  }
}

private func memoryReport(_ compiled: CompiledGraph) throws(BackplaneError) -> String {
  let devices = compiled.memorySummaries.map { memory in
    let bytes = [("weights", memory.weightBytes), ("states", memory.stateBytes), ("io", memory.ioBytes), ("arena", memory.arenaBytes), ("workspace", memory.workspaceBytes)]
    return JSON.object([JSON.Member(key: "device", value: .string(memory.device))] + bytes.map { JSON.Member(key: "\($0.0)_bytes", value: .int($0.1)) })
  }
  return try JSON.object([JSON.Member(key: "devices", value: .array(devices))]).text()
}
