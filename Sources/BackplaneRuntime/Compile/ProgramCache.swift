import BackplaneCore
import BackplaneRegistry

/// Compiles programs, from the blob store where the device can export what it compiled.
///
/// A key says all that a compiled program depends on: plugin and build, driver, device, what its answers depend on (caps epoch, which
/// covers settings), the graph's structure, what was chosen for its nodes.
struct ProgramCache {
  let runtime: Runtime

  struct Result {
    var program: DeviceProgram
    /// Nothing was compiled.
    var isFromStore: Bool
    /// What was chosen for the graph's nodes instead of the device's own choices.
    var choices: ChosenConfigurations
  }

  /// - Throws: What the device says when it cannot compile. A blob that does not fit any more is replaced, with a message.
  func compile(_ graph: Graph, on device: Device, cancellation: CancellationToken? = nil) throws(BackplaneError) -> Result {
    let records = try ABIGraph(graph)
    let cancel = cancellation?.flag.raw
    let choices = runtime.tuning?.choices(for: graph, records, on: device) ?? ChosenConfigurations()
    guard device.info.groups.contains(.blobs), let store = runtime.host.blobs else {
      return Result(program: try device.compile(records, choosing: choices, cancel: cancel), isFromStore: false, choices: choices)
    }
    let key = ProgramCache.key(graph, device, choices)
    if let program = load(key, records, device, store, cancel) { return Result(program: program, isFromStore: true, choices: choices) }
    let program = try device.compile(records, choosing: choices, cancel: cancel)
    do throws(BackplaneError) {
      let bytes = try program.export()
      let failure = key.withUnsafeBytes { key in bytes.withUnsafeBytes { bytes -> BackplaneError? in
        do throws(BackplaneError) { try store.put(key, bytes); return nil } catch { return error }
      } }
      if let failure { throw failure }
    } catch {
      runtime.host.warnOfStore("\(error); the program will be compiled again next time")
    }
    return Result(program: program, isFromStore: false, choices: choices)
  }

  /// Nil when there is no blob that fits.
  private func load(_ key: [UInt8], _ records: ABIGraph, _ device: Device, _ store: BlobStore, _ cancel: UnsafeMutableRawPointer?) -> DeviceProgram? {
    guard let blob = key.withUnsafeBytes({ store.get($0) }) else { return nil }
    func tell(_ why: String) { runtime.host.log(LogMessage(level: .warning, category: "cache", text: "\(device.id): \(why); compiled again")) }
    do throws(BackplaneError) {
      let fitness = try device.check(blobHeader: UnsafeRawBufferPointer(rebasing: blob.bytes.prefix(4096)))
      guard fitness == .optimal || fitness == .usable else {
        tell("a kept program \(fitness == .never ? "is damaged" : "was made by another build, or for another driver or device")")
        return nil
      }
      return try device.compile(records, blob: blob.bytes, cancel: cancel)
    } catch {
      tell("\(error.message)")
      return nil
    }
  }

  /// What a compiled program depends on.
  static func key(_ graph: Graph, _ device: Device, _ choices: ChosenConfigurations = ChosenConfigurations()) -> [UInt8] {
    let info = device.info
    let parts = ["program 1", device.plugin.name, device.plugin.version, device.plugin.buildID, info.driver, info.driverVersion,
                 info.uuid.map { String($0, radix: 16) }.joined(separator: "."), String(info.capsEpoch, radix: 16), String(graph.structureHash, radix: 16)]
      + choices.choices.map { "\($0.node) \($0.symbol ?? 0) \($0)" }
    return Array(parts.joined(separator: "\u{0}").utf8)
  }
}
