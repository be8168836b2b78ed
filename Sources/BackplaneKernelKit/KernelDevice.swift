public import BackplaneABI
public import BackplanePluginKit

/// A device whose programs are kernels of a library. It answers for capability, checks what is asked of memory, and remembers that it was lost; an API's
/// own class gives it memory, programs and submissions.
open class KernelDevice: PluginDevice, @unchecked Sendable {
  /// Guesses for placement: nanoseconds of a launch, bytes and multiply-adds a nanosecond.
  public struct Pace: Sendable {
    let launch, bytes, multiplyAdds: Double
    public init(launch: Double, bytes: Double, multiplyAdds: Double) { (self.launch, self.bytes, self.multiplyAdds) = (launch, bytes, multiplyAdds) }
  }

  public let library: KernelLibrary
  public let traits: DeviceTraits
  /// Host memory is used as it is.
  public let importsHostMemory: Bool
  private let description: bp_device_info
  private let records: RecordMemory
  private let verdicts: VerdictMaker
  private let pace: Pace
  private let lossGuard = Monitor()
  // Guarded by `lossGuard`.
  private var loss: PluginError?
  private var isLossTold = false

  /// - Parameters:
  ///   - description: What `info` answers; of its memory types the first is imported into.
  ///   - records: What the description points to.
  ///   - flushesSubnormals: In f32 arithmetic.
  public init(_ host: Host, _ library: KernelLibrary, _ traits: DeviceTraits, _ description: bp_device_info, records: RecordMemory, pace: Pace, flushesSubnormals: Bool) {
    (self.library, self.traits, self.description, self.records, self.pace) = (library, traits, description, records, pace)
    importsHostMemory = description.memory_types.count > 0 && description.memory_types.record(0, zero: bp_memory_type()).flags & BP_MEMORY_IMPORT_HOST != 0
    verdicts = VerdictMaker(library, traits, flushesSubnormals: flushesSubnormals)
    super.init(host: host)
  }

  override public func info(_ out: UnsafeMutablePointer<bp_device_info>) { writeRecord(description, to: out) }

  // MARK: For an API's own class

  open func allocate(_ wanted: bp_buffer_desc) throws(PluginError) -> PluginBuffer { throw missing("allocate") }
  /// Only when ``importsHostMemory``; may be memory of no bytes.
  open func importMemory(_ block: UnsafeMutableRawPointer, _ wanted: bp_buffer_desc, isWritable: Bool) throws(PluginError) -> PluginBuffer {
    throw missing("importMemory")
  }
  /// Where the host sees a range that lies within the buffer; nil: nowhere, and there are no bytes.
  open func address(_ buffer: PluginBuffer, _ offset: UInt64, _ length: UInt64, _ access: UInt32) throws(PluginError) -> UnsafeMutableRawPointer? {
    throw missing("address")
  }
  open func compile(_ request: bp_compile) throws(PluginError) -> KernelProgram { throw missing("compile") }

  private func missing(_ name: String) -> PluginError { PluginError(BP_E_INTERNAL, "\(name) is not implemented by this device") }

  // MARK: Capability

  override public func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32) throws(PluginError) {
    let pace = pace
    try verdicts.query(graph, out, stride, count) { bytes, work in pace.launch + bytes / pace.bytes + work / pace.multiplyAdds }
  }
  override public func variants(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ out: UnsafeMutableRawPointer?, _ stride: UInt32,
                                _ count: UnsafeMutablePointer<UInt32>?) throws(PluginError) -> bp_status {
    try verdicts.variants(graph, node, out, stride, count)
  }
  override public func checkConfig(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ config: bp_config) throws(PluginError) -> UInt64 {
    try verdicts.check(graph, node, config)
  }
  override public func link(_ mem: UInt32, _ peer: UnsafePointer<bp_device_info>?, _ peerMemory: UInt32, _ out: UnsafeMutablePointer<bp_link>?) throws(PluginError) {
    guard mem < description.memory_types.count, let out else { throw .invalid("link: memory \(mem) or an argument is missing") }
    let isVisible = try memoryType(peerMemory, of: peer).flags & BP_MEMORY_HOST_VISIBLE != 0
    var link = bp_link()
    link.mode = isVisible ? (importsHostMemory ? BP_LINK_IMPORT : BP_LINK_COPY) : BP_LINK_NONE
    link.bytes_per_s = isVisible ? 8_000_000_000 : 0
    writeRecord(link, to: out)
  }

  // MARK: Programs

  override public func createProgram(_ source: UnsafePointer<bp_compile>) throws(PluginError) -> PluginProgram {
    try checkLoss()
    let request = readRecord(source, zero: bp_compile())
    try checkChain(request.h, of: "program_create")
    guard request.blob.len == 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "program_create: this device exports no programs; it keeps compiled kernels in the host's store", reason: BP_REASON_FEATURE)
    }
    do throws(PluginError) { return try compile(request) } catch { throw note(error) }
  }

  // MARK: Memory

  override public func createBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                                    _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) {
    guard let source, let out else { throw .invalid("buffer_create: an argument is NULL") }
    let wanted = readRecord(source, zero: bp_buffer_desc()), types = description.memory_types.count
    try checkChain(wanted.h, of: "buffer_create")
    try checkLoss()
    guard wanted.memory_type < types else {
      throw .invalid("buffer_create: memory type \(wanted.memory_type) does not exist, there \(types == 1 ? "is" : "are") \(types)")
    }
    guard wanted.align & (wanted.align &- 1) == 0 else { throw .invalid("buffer_create: alignment \(wanted.align) is no power of two") }
    let buffer = try makeBuffer(wanted)
    out.pointee = makeHandle(buffer)
    guard let info else { return }
    var record = bp_buffer_info()
    (record.bytes, record.actual_bytes, record.memory_type, record.native) = (wanted.bytes, buffer.allocatedBytes, wanted.memory_type, buffer.native)
    writeRecord(record, to: info)
  }

  private func makeBuffer(_ wanted: bp_buffer_desc) throws(PluginError) -> PluginBuffer {
    switch wanted.source {
    case BP_SOURCE_ALLOCATE: return try allocate(wanted)
    case BP_SOURCE_HOST_POINTER where importsHostMemory:
      guard let block = wanted.host_ptr else { throw .invalid("buffer_create: a host pointer to import is missing") }
      guard wanted.align == 0 || UInt64(UInt(bitPattern: block)) & (wanted.align - 1) == 0 else {
        throw .invalid("buffer_create: the host pointer is no multiple of \(wanted.align)")
      }
      return try importMemory(block, wanted, isWritable: wanted.access & BP_ACCESS_WRITE != 0)
    default:
      throw PluginError(BP_E_UNSUPPORTED, "buffer_create: source \(wanted.source) cannot be imported here\(importsHostMemory ? ", host pointers can" : "")",
                        reason: BP_REASON_FEATURE)
    }
  }

  override public func map(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
                           _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) {
    try checkLoss()
    guard let handle, let out else { throw .invalid("buffer_map: an argument is NULL") }
    let buffer = object(handle, as: PluginBuffer.self)
    guard offset <= buffer.bytes, length <= buffer.bytes - offset else {
      throw .invalid("buffer_map: bytes \(offset) to \(offset &+ length) of a buffer of \(buffer.bytes)")
    }
    guard access & BP_ACCESS_WRITE == 0 || buffer.isWritable else { throw .invalid("buffer_map: the buffer was imported read-only") }
    if let place = try address(buffer, offset, length, access) { out.pointee = place }
  }

  // MARK: Loss

  /// Throws when the device is gone, and tells the host of a loss that a thread of the plugin's own saw.
  public func checkLoss() throws(PluginError) {
    guard let loss = lossGuard.locked({ loss }) else { return }
    tell(loss)
    throw loss
  }

  /// Remembers that the device is gone. From any thread: the host hears of it from the next call.
  public func remember(_ failure: PluginError) -> PluginError {
    if failure.status == BP_E_DEVICE_LOST { lossGuard.locked { loss = loss ?? failure } }
    return failure
  }

  /// Remembers that the device is gone, and tells the host once.
  public func note(_ failure: PluginError) -> PluginError {
    if remember(failure).status == BP_E_DEVICE_LOST { tell(failure) }
    return failure
  }

  private func tell(_ loss: PluginError) {
    let isFirst = lossGuard.locked {
      defer { isLossTold = true }
      return !isLossTold
    }
    guard isFirst else { return }
    var record = loss.record
    host.table.pointee.report_fault(host.table.pointee.ctx, OpaquePointer(Unmanaged.passUnretained(self as PluginDevice).toOpaque()), &record)
  }
}

extension DeviceTraits {
  /// Takes over what settings (`PREFIX.…`) say, and quirks of the driver.
  ///
  /// - Throws: For a setting that is none, and when a program that the driver needs is not there.
  public mutating func configure(_ library: KernelLibrary, _ identity: DriverIdentity, _ host: Host, prefix: String) throws(PluginError) {
    overrides = try library.overrides { host.setting(prefix + $0) }
    forced = try library.forced { host.setting(prefix + $0) }
    let found = try library.quirks(of: identity) { host.setting(prefix + $0) }
    for quirk in found {
      host.log(BP_LOG_INFO, "quirks", "\(identity.device): \(quirk.name): \(quirk.why)")
      if let program = quirk.programs.first(where: { !isInPath($0) }) {
        throw PluginError(BP_E_UNSUPPORTED, "\(identity.device): the program '\(program)' is not in PATH; without it this driver ends the process when it runs a kernel "
                          + "(Debian's package binutils has ld)", reason: BP_REASON_QUIRK)
      }
    }
    apply(found)
  }
}
