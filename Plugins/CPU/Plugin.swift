@_exported import BackplaneABI
import BackplanePluginKit
import CPUKernels

/// What this build speaks.
let spokenABI = UInt32(BP_ABI_1_0)...UInt32(BP_ABI_THIS)
let pluginVersion: StaticString = "0.1.0"

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  guard hostMaximum >= spokenABI.lowerBound, hostMinimum <= spokenABI.upperBound, hostMinimum <= hostMaximum else { return nil }
  return withUnsafePointer(to: &pluginTable) { $0 }  // a global's address is stable
}

/// Written once, when it is first used.
nonisolated(unsafe) private var pluginTable: bp_plugin = {
  var table = bp_plugin()
  table.h = head(bp_plugin.self, BP_ST_PLUGIN)
  (table.abi_min, table.abi_max) = (spokenABI.lowerBound, spokenABI.upperBound)
  table.name = bp_str("cpu")
  table.vendor = bp_str("Backplane")
  table.version = bp_str(pluginVersion)
  table.build_id = bp_str(pluginVersion)
  #if DEBUG
  table.flags = BP_PLUGIN_DEBUG_BUILD
  #endif
  table.abi_layout_hash = UInt64(BP_ABI_LAYOUT_HASH_1_0)
  table.instance_create = { host, out, error in withError(error) { () throws(PluginError) in
    guard let out else { throw .invalid("instance_create: no place for the instance") }
    out.pointee = makeHandle(try Instance(host))
  } }
  table.instance_destroy = { if let instance = $0 { _ = take(instance, as: Instance.self) } }
  table.device_count = { _, out, error in withError(error) { () throws(PluginError) in
    guard let out else { throw .invalid("device_count: no place for the count") }
    out.pointee = 1
  } }
  table.device_open = { instance, index, out, functions, error in withError(error) { () throws(PluginError) in
    guard let instance, let out, let functions else { throw .invalid("device_open: an argument is NULL") }
    guard index == 0 else { throw .invalid("device_open: device \(index) does not exist, there is 1") }
    out.pointee = makeHandle(try Device(object(instance, as: Instance.self)))
    functions.pointee = deviceFunctionTable()
  } }
  table.device_close = { if let device = $0 { _ = take(device, as: PluginDevice.self) } }
  return table
}()

/// One use of the plugin by a host: its services and settings.
final class Instance: Sendable {
  let host: Host
  /// Sets of instructions that kernels may use: what the processor has, limited by the setting `cpu.isa`.
  let isa: UInt32

  init(_ table: UnsafePointer<bp_host>?) throws(PluginError) {
    host = try Host(table, abi: spokenABI)
    let name = host.setting("cpu.isa") ?? "auto"
    var text = name
    let wanted = text.withUTF8 { bytes in
      bp_cpu_isa_bits(UnsafeRawPointer(bytes.baseAddress).map { $0.assumingMemoryBound(to: CChar.self) }, UInt64(bytes.count))
    }
    let present = bp_cpu_detect()
    guard wanted != BP_CPU_UNKNOWN_ISA else {
      host.deallocate()
      throw .invalid("cpu.isa is \"\(name)\"; valid are \(isaNames.joined(separator: ", "))")
    }
    // Processors with AVX-512 VNNI may lack the narrower instructions.
    let needed = wanted & UInt32(BP_CPU_AVX512VNNI) == 0 ? wanted : wanted & ~UInt32(BP_CPU_AVXVNNI)
    guard wanted == 0xffff_ffff || needed & ~present == 0 else {
      host.deallocate()
      throw PluginError(BP_E_UNSUPPORTED, "cpu.isa is \"\(name)\", but this processor has \(isaText(present))", reason: BP_REASON_ISA)
    }
    isa = wanted & present
  }
  deinit { host.deallocate() }
}

let isaNames = ["auto", "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx", "neon", "dotprod", "i8mm"]

/// The instruction sets behind bits, for people: `avx2 avx512 avx512vnni`.
func isaText(_ bits: UInt32) -> String {
  let names: [(UInt32, String)] = [
    (UInt32(BP_CPU_AVX2), "avx2"), (UInt32(BP_CPU_AVXVNNI), "avxvnni"), (UInt32(BP_CPU_AVX512), "avx512"),
    (UInt32(BP_CPU_AVX512VNNI), "avx512vnni"), (UInt32(BP_CPU_AVX512BF16), "avx512bf16"), (UInt32(BP_CPU_AMX), "amx"),
    (UInt32(BP_CPU_NEON), "neon"), (UInt32(BP_CPU_DOTPROD), "dotprod"), (UInt32(BP_CPU_I8MM), "i8mm"),
  ]
  let present = names.filter { bits & $0.0 != 0 }.map(\.1)
  return present.isEmpty ? "scalar" : present.joined(separator: " ")
}
