@_exported import BackplaneABI
import BackplanePluginKit
import CPUKernels

let pluginVersion: StaticString = "0.1.0"

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  withUnsafePointer(to: &pluginTable) { answerQuery($0, hostMinimum, hostMaximum) }  // a global's address is stable
}

/// Written once, when it is first used.
nonisolated(unsafe) private var pluginTable = makePluginTable(name: "cpu", vendor: "Backplane", version: pluginVersion) { host, out, error in
  makeInstance(host, out, error) { (host) throws(PluginError) in try Instance(host) }
}

/// One use of the plugin by a host: its services and settings.
final class Instance: PluginInstance, @unchecked Sendable {
  /// Sets of instructions that kernels may use: what the processor has, limited by the setting `cpu.isa`. AMX, which its authors never ran on a
  /// processor, only where `cpu.isa` or `cpu.amx` ask for it.
  let isa: UInt32

  init(_ host: Host) throws(PluginError) {
    let name = host.setting("cpu.isa") ?? "auto"
    var text = name
    let wanted = text.withUTF8 { bytes in
      bp_cpu_isa_bits(UnsafeRawPointer(bytes.baseAddress).map { $0.assumingMemoryBound(to: CChar.self) }, UInt64(bytes.count))
    }
    guard wanted != BP_CPU_UNKNOWN_ISA else {
      throw .invalid("cpu.isa is \"\(name)\"; valid are \(isaNames.joined(separator: ", "))")
    }
    let isAny = wanted == 0xffff_ffff, amx = host.setting("cpu.amx") ?? "0"
    guard amx == "0" || amx == "1" else { throw .invalid("cpu.amx is \"\(amx)\"; valid are 0, 1") }
    let wantsAMX = isAny ? amx == "1" : wanted & UInt32(BP_CPU_AMX) != 0
    if wantsAMX, let missing = bp_cpu_want_amx() {
      throw PluginError(BP_E_UNSUPPORTED, "\(isAny ? "cpu.amx is \"1\"" : "cpu.isa is \"\(name)\""), but this machine lacks \(String(cString: missing))", reason: BP_REASON_ISA)
    }
    let present = bp_cpu_detect()
    // Processors with AVX-512 VNNI may lack the narrower instructions.
    let needed = wanted & UInt32(BP_CPU_AVX512VNNI) == 0 ? wanted : wanted & ~UInt32(BP_CPU_AVXVNNI)
    guard isAny || needed & ~present == 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "cpu.isa is \"\(name)\", but this processor has \(isaText(present & ~UInt32(BP_CPU_ASKED)))", reason: BP_REASON_ISA)
    }
    isa = isAny ? present & ~UInt32(BP_CPU_ASKED) | (wantsAMX ? present & UInt32(BP_CPU_AMX) : 0) : wanted & present
    super.init(host: host)
  }

  override func openDevice(_ index: Int) throws(PluginError) -> PluginDevice { try Device(self) }
}

let isaNames = ["auto", "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx", "amxmodel", "neon", "dotprod", "i8mm"]

/// The instruction sets behind bits, for people: `avx2 avx512 avx512vnni`.
func isaText(_ bits: UInt32) -> String {
  let names: [(UInt32, String)] = [
    (UInt32(BP_CPU_AVX2), "avx2"), (UInt32(BP_CPU_AVXVNNI), "avxvnni"), (UInt32(BP_CPU_AVX512), "avx512"),
    (UInt32(BP_CPU_AVX512VNNI), "avx512vnni"), (UInt32(BP_CPU_AVX512BF16), "avx512bf16"), (UInt32(BP_CPU_AMX), "amx"), (UInt32(BP_CPU_AMXMODEL), "amxmodel"),
    (UInt32(BP_CPU_NEON), "neon"), (UInt32(BP_CPU_DOTPROD), "dotprod"), (UInt32(BP_CPU_I8MM), "i8mm"),
  ]
  let present = names.filter { bits & $0.0 != 0 }.map(\.1)
  return present.isEmpty ? "scalar" : present.joined(separator: " ")
}
