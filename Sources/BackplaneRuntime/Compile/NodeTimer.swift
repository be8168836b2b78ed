import BackplaneCore
import BackplaneRegistry

/// Times nodes on a device, each signature once; times are kept in the blob store.
///
/// A node is run alone, at the upper bounds of its symbols, on operands that hold small numbers; the least of a few runs counts. Simulated devices are not timed:
/// their own estimate is what they are simulated for.
struct NodeTimer {
  let runtime: Runtime
  private static let mostRuns = 5, enoughNanoseconds: UInt64 = 40_000_000

  /// Nil where the device is simulated or cannot run the node alone.
  func nanoseconds(_ signature: Int, _ table: SignatureTable, on device: Device) -> UInt64? {
    if device.info[property: "simulated"] != nil { return nil }
    let graph = table.queryGraph([signature])
    let key = key(graph, device)
    if let known = runtime.host.blobs.flatMap({ store in key.withUnsafeBytes { store.get($0) } }), known.bytes.count == 8 {
      return UInt64(littleEndian: known.bytes.loadUnaligned(as: UInt64.self))
    }
    guard let best = try? time(graph, on: device) else { return nil }
    if let store = runtime.host.blobs {
      do throws(BackplaneError) {
        let failure = key.withUnsafeBytes { key in withUnsafeBytes(of: best.littleEndian) { value -> BackplaneError? in
          do throws(BackplaneError) { try store.put(key, value); return nil } catch { return error }
        } }
        if let failure { throw failure }
      } catch { runtime.host.warnOfStore("\(error); the node will be timed again next time") }
    }
    return best
  }

  private func time(_ graph: Graph, on device: Device) throws(BackplaneError) -> UInt64 {
    var options = CompileOptions(devices: [device], fallback: .forbid)
    (options.fuses, options.validates) = (false, false)
    var constants: [TensorID: ConstantSource] = [:]
    for id in graph.constants {
      let block = MemoryBlock(byteCount: graph[id].maximumBytes ?? 0)
      NodeTimer.fill(block.bytes, graph[id])
      constants[id] = ConstantSource(UnsafeRawBufferPointer(block.bytes), owner: block)
    }
    let session = try Session(try runtime.compile(graph, options), constants: constants)
    for id in graph.inputs { NodeTimer.fill(session.inputPointer(id), graph[id]) }
    var values = SymbolValues()
    for symbol in graph.symbols { values[symbol] = symbol.bounds.upperBound }
    var best = UInt64.max, spent: UInt64 = 0, runs = 0
    while runs <= NodeTimer.mostRuns, runs < 2 || spent < NodeTimer.enoughNanoseconds {
      let timing = try session.run(symbols: values)
      // The first one warms caches and compiles what a driver compiles late.
      if runs > 0 { best = min(best, timing.devices) }
      (spent, runs) = (spent + timing.total, runs + 1)
    }
    return max(best, 1)
  }

  /// Small positive numbers in every float and block format (each byte 0x11); integers are 0, which is a position and an index.
  private static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ tensor: TensorDescription) {
    let isNumber = tensor.format.isBlock || ["f32", "f16", "bf16", "f64"].contains(tensor.format.name)
    bytes.initializeMemory(as: UInt8.self, repeating: isNumber ? 0x11 : 0)
  }

  private func key(_ graph: Graph, _ device: Device) -> [UInt8] {
    Array("time 1\u{0}\(runtime.pool.workerCount)\u{0}".utf8) + ProgramCache.key(graph, device)
  }
}
