import BackplaneABI
import BackplaneCore

/// A compiled graph on a device, destroyed with this object. It may be in flight many times, each with its own workspace.
public final class DeviceProgram: @unchecked Sendable {
  /// A graph input and output that may share storage, by tensor number.
  public struct Alias: Sendable, Equatable {
    public var input, output: Int
  }

  /// Where an intermediate tensor (or a kernel's scratch memory) lies in the workspace, at the symbols' upper bounds.
  public struct Placement: Sendable, Equatable {
    /// Nil for scratch memory of a kernel.
    public var tensor: Int?
    /// The tensor whose storage it shares.
    public var aliasOf: Int?
    /// Nodes during which it is live.
    public var live: Range<Int>
    public var offset, byteCount: Int
  }

  public struct Info: Sendable, Equatable {
    /// The memory that the host supplies at each dispatch, for the symbols' upper bounds.
    public var workspaceByteCount, workspaceAlignment: Int
    /// Device memory that the program itself holds.
    public var residentByteCount: Int
    public var aliases: [Alias]
    public var placements: [Placement]
    public var kernelCount: Int
  }

  /// What a device estimates that a run takes, on its own clock.
  public struct Cost: Sendable, Hashable, Codable {
    public var nanoseconds = 0.0, joules = 0.0
    public init() {}
    public mutating func add(_ other: Cost, times count: Int) {
      nanoseconds += other.nanoseconds * Double(count)
      joules += other.joules * Double(count)
    }
  }

  public let device: Device
  public let handle: bp_program?
  public let info: Info

  fileprivate init(_ device: Device, _ request: UnsafePointer<bp_compile>, step: (String) -> Void) throws(BackplaneError) {
    var handle: bp_program?
    step("program_create")
    try checked("program_create", device.id) { device.functions.pointee.program_create(device.handle, request, &handle, $0) }
    var record = bp_program_info()
    record.h = head(bp_program_info.self, BP_ST_PROGRAM_INFO)
    step("program_info")
    do {
      try checked("program_info", device.id) { device.functions.pointee.program_info(handle, &record, $0) }
    } catch {
      device.functions.pointee.program_destroy(handle)
      throw error
    }
    (self.device, self.handle, info) = (device, handle, Info(record))
  }

  deinit { device.functions.pointee.program_destroy(handle) }

  /// Time and energy of a run, where the plugin has the extension `backplane.program_cost`.
  public var cost: Cost? {
    typealias Function = @convention(c) (bp_program?, UnsafeMutablePointer<UInt64>?, UnsafeMutablePointer<Double>?) -> bp_status
    guard let address = device.instance.extension("backplane.program_cost", version: 1) else { return nil }
    var nanoseconds: UInt64 = 0
    var cost = Cost()
    guard unsafeBitCast(address, to: Function.self)(handle, &nanoseconds, &cost.joules) == BP_OK, cost.joules.isFinite else { return nil }
    cost.nanoseconds = Double(nanoseconds)
    return cost
  }

  /// The program as bytes that the same plugin can load faster than it compiles.
  public func export() throws(BackplaneError) -> [UInt8] {
    var bytes: [UInt8] = []
    try withUnsafeMutablePointer(to: &bytes) { (sink: UnsafeMutablePointer<[UInt8]>) throws(BackplaneError) -> Void in
      _ = try checked("program_export", device.id) {
        device.functions.pointee.program_export(handle, { context, span in
          let sink = context!.assumingMemoryBound(to: [UInt8].self)
          sink.pointee.append(contentsOf: UnsafeRawBufferPointer(start: span.ptr, count: Int(span.len)))
          return BP_OK
        }, sink, $0)
      }
    }
    return bytes
  }
}

extension DeviceProgram.Info {
  init(_ record: bp_program_info) {
    func number(_ tensor: UInt32) -> Int? { tensor == BP_NO_TENSOR ? nil : Int(tensor) }
    workspaceByteCount = Int(clamping: record.workspace_bytes)
    workspaceAlignment = max(Int(clamping: record.workspace_align), 1)
    residentByteCount = Int(clamping: record.resident_bytes)
    aliases = record.aliases.elements(bp_alias()).map { .init(input: Int($0.input), output: Int($0.output)) }
    placements = record.placements.elements(bp_placement()).map {
      .init(tensor: number($0.tensor), aliasOf: number($0.alias_of), live: Int($0.first_node)..<max(Int($0.first_node), Int($0.end_node)),
            offset: Int(clamping: $0.offset), byteCount: Int(clamping: $0.bytes))
    }
    kernelCount = Int(record.n_kernels)
  }
}

extension Device {
  /// Compiles a graph whose nodes ``query(_:)`` said yes to.
  ///
  /// - Parameters:
  ///   - configs: Records chosen by the tuner; valid for the call.
  ///   - blob: An exported program of the same graph, or nothing.
  ///   - cancel: A token that `bp_host.cancelled` knows.
  /// - Throws: ``BackplaneError``, whose `node` is set when one node is to blame.
  public func compile(_ graph: ABIGraph, numerics: Numerics = .standard, configs: UnsafeBufferPointer<bp_config>? = nil,
                      blob: UnsafeRawBufferPointer? = nil, budgetNanoseconds: UInt64 = 0, cancel: UnsafeMutableRawPointer? = nil,
                      step: (String) -> Void = { _ in }) throws(BackplaneError) -> DeviceProgram {
    var request = bp_compile()
    request.h = head(bp_compile.self, BP_ST_COMPILE)
    request.graph = graph.pointer
    if let configs {
      request.configs = bp_array(ptr: UnsafeRawPointer(configs.baseAddress), count: UInt32(configs.count), stride: UInt32(MemoryLayout<bp_config>.stride))
    }
    if let blob { request.blob = bp_span(ptr: blob.baseAddress, len: UInt64(blob.count)) }
    (request.budget_ns, request.cancel, request.numerics) = (budgetNanoseconds, cancel, numerics.abi)
    return try DeviceProgram(self, &request, step: step)
  }

  /// What the device thinks of a compiled blob, from its first 4 KiB.
  public func check(blobHeader: UnsafeRawBufferPointer) throws(BackplaneError) -> BlobFitness {
    var answer: UInt32 = 3
    let span = bp_span(ptr: blobHeader.baseAddress, len: UInt64(min(blobHeader.count, 4096)))
    try checked("blob_check", id) { functions.pointee.blob_check(handle, span, &answer, $0) }
    return BlobFitness(rawValue: answer) ?? .never
  }
}

public enum BlobFitness: UInt32, Sendable { case optimal, usable, recompile, never }
