import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Glibc
import Synchronization

/// A host that watches what an instance does with it: blocks that are never given back or given back as something else, faults that are
/// reported, calls after the instance is gone. It can also run short of memory on purpose. All else it leaves to the host behind it.
///
/// The table and this object live as long as the process, as the ABI promises to plugins.
final class HostMonitor: @unchecked Sendable {
  private struct Block {
    var bytes, alignment: UInt64
    var tag: UInt32
  }
  private struct State {
    var blocks: [UInt: Block] = [:]
    var byteCount: UInt64 = 0
    /// Allocations until one fails; 0 never.
    var countdown = 0
    var hasFailed = false
    var misuse: String?
    var faults: [bp_status] = []
    var isOver = false
    var lateCalls = 0
  }

  private(set) var services: HostServices
  private let inner: bp_host
  /// Who runs loops and tasks.
  private let runner: bp_host
  private let state = Mutex(State())

  /// - Parameters:
  ///   - host: Has settings, log, stores and clock.
  ///   - pool: Runs loops; nil leaves them to `host`, too. Must live as long as the instance.
  init(_ host: HostServices, pool: ThreadPool? = nil) {
    inner = host.table.pointee
    runner = pool.map { PluginHost(pool: $0, logLevel: .error).services.table.pointee } ?? inner
    let table = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    table.initialize(to: inner)
    services = HostServices(table: UnsafePointer(table))
    table.pointee = makeTable()
  }

  // MARK: What was seen

  var blockCount: Int { state.withLock { $0.blocks.count } }
  var byteCount: UInt64 { state.withLock { $0.byteCount } }
  /// What was given back with another size, alignment or tag, or was never taken.
  var misuse: String? { state.withLock { $0.misuse } }
  /// Codes given to `report_fault`.
  var faults: [bp_status] { state.withLock { $0.faults } }
  var hasFailed: Bool { state.withLock { $0.hasFailed } }
  var lateCalls: Int { state.withLock { $0.lateCalls } }

  /// The n-th allocation from now on fails, once; 0 none.
  func failAllocation(_ n: Int) { state.withLock { ($0.countdown, $0.hasFailed) = (n, false) } }
  /// No call is legal from now on.
  func end() { state.withLock { $0.isOver = true } }

  // MARK: The table

  private func note() { state.withLock { if $0.isOver { $0.lateCalls += 1 } } }

  private func allocate(_ bytes: UInt64, _ alignment: UInt64, _ tag: UInt32) -> UnsafeMutableRawPointer? {
    let mayFail = state.withLock { state in
      if state.isOver { state.lateCalls += 1 }
      if state.countdown > 0 {
        state.countdown -= 1
        if state.countdown == 0 { state.hasFailed = true; return true }
      }
      return false
    }
    guard !mayFail, let memory = inner.alloc(inner.ctx, bytes, alignment, tag) else { return nil }
    state.withLock { state in
      state.blocks[UInt(bitPattern: memory)] = Block(bytes: bytes, alignment: alignment, tag: tag)
      state.byteCount += bytes
    }
    return memory
  }

  private func free(_ memory: UnsafeMutableRawPointer?, _ bytes: UInt64, _ alignment: UInt64, _ tag: UInt32) {
    guard let memory else { return }
    let block = state.withLock { state in
      if state.isOver { state.lateCalls += 1 }
      let block = state.blocks.removeValue(forKey: UInt(bitPattern: memory))
      if let block {
        state.byteCount -= block.bytes
        if (block.bytes, block.alignment, block.tag) != (bytes, alignment, tag), state.misuse == nil {
          state.misuse = "\(block.bytes) bytes aligned to \(block.alignment) with tag \(block.tag) were given back as \(bytes) bytes aligned to \(alignment) with tag \(tag)"
        }
      } else if state.misuse == nil {
        state.misuse = "memory was given back that was not taken, or twice"
      }
      return block
    }
    if let block { inner.free(inner.ctx, memory, block.bytes, block.alignment, block.tag) }
  }

  private func makeTable() -> bp_host {
    var table = inner
    table.ctx = Unmanaged.passRetained(self).toOpaque()
    table.alloc = { context, bytes, alignment, tag in HostMonitor.behind(context).allocate(bytes, alignment, tag) }
    table.free = { context, memory, bytes, alignment, tag in HostMonitor.behind(context).free(memory, bytes, alignment, tag) }
    table.log_enabled = { context, level, category in let inner = HostMonitor.noted(context).inner; return inner.log_enabled(inner.ctx, level, category) }
    table.log = { context, level, category, text, fields in let inner = HostMonitor.noted(context).inner; inner.log(inner.ctx, level, category, text, fields) }
    table.worker_count = { context, pool in let runner = HostMonitor.noted(context).runner; return runner.worker_count(runner.ctx, pool) }
    table.parallel_for = { context, count, grain, body, bodyContext, flags in
      let runner = HostMonitor.noted(context).runner
      return runner.parallel_for(runner.ctx, count, grain, body, bodyContext, flags)
    }
    table.post = { context, task, taskContext, priority in let runner = HostMonitor.noted(context).runner; return runner.post(runner.ctx, task, taskContext, priority) }
    table.name_of = { context, id, out in let inner = HostMonitor.noted(context).inner; return inner.name_of(inner.ctx, id, out) }
    table.store_get = { context, store, key, out, pin in let inner = HostMonitor.noted(context).inner; return inner.store_get(inner.ctx, store, key, out, pin) }
    table.store_put = { context, store, key, value, flags in let inner = HostMonitor.noted(context).inner; return inner.store_put(inner.ctx, store, key, value, flags) }
    table.store_unpin = { context, pin in let inner = HostMonitor.noted(context).inner; inner.store_unpin(inner.ctx, pin) }
    table.cancelled = { context, token in let inner = HostMonitor.noted(context).inner; return inner.cancelled(inner.ctx, token) }
    table.now_ns = { context in let inner = HostMonitor.noted(context).inner; return inner.now_ns(inner.ctx) }
    table.report_fault = { context, device, error in
      let monitor = HostMonitor.noted(context)
      monitor.state.withLock { $0.faults.append(error?.pointee.code ?? 0) }
    }
    table.config_get = { context, key, out in let inner = HostMonitor.noted(context).inner; return inner.config_get(inner.ctx, key, out) }
    return table
  }

  private static func behind(_ context: UnsafeMutableRawPointer?) -> HostMonitor { Unmanaged<HostMonitor>.fromOpaque(context!).takeUnretainedValue() }
  private static func noted(_ context: UnsafeMutableRawPointer?) -> HostMonitor {
    let monitor = behind(context)
    monitor.note()
    return monitor
  }
}
