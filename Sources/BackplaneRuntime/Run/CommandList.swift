import BackplaneABI
import BackplaneCore
import BackplaneRegistry

/// The ABI records of one program's dispatch, in memory that stays where it is. Only symbol values, the token and the deadline
/// change from run to run.
final class CommandList {
  let device: Device
  let submission: UnsafeMutablePointer<bp_submission>
  let symbols: UnsafeMutableBufferPointer<bp_symbol_value>
  private let dispatch: UnsafeMutablePointer<bp_dispatch>
  private let bindings: UnsafeMutableBufferPointer<bp_binding>
  private let workspace: UnsafeMutablePointer<bp_binding>
  private let program: DeviceProgram
  private var timestamps: UnsafeMutablePointer<bp_binding>?

  /// - Parameters:
  ///   - bindings: Inputs, then outputs, as the program's graph has them.
  ///   - workspace: Nil when the program needs none.
  init(_ program: DeviceProgram, bindings given: [bp_binding], symbols numbers: [UInt32], workspace given2: bp_binding?) {
    self.program = program
    device = program.device
    bindings = .allocate(capacity: max(given.count, 1))
    _ = bindings.initialize(from: given)
    symbols = .allocate(capacity: numbers.count)
    _ = symbols.initialize(from: numbers.map { bp_symbol_value(h: head(bp_symbol_value.self, BP_ST_SYMBOL_VALUE), symbol: $0, reserved0: 0, value: 0) })
    workspace = .allocate(capacity: 1)
    workspace.initialize(to: given2 ?? bp_binding())
    dispatch = .allocate(capacity: 1)
    var record = bp_dispatch()
    record.h = head(bp_dispatch.self, BP_ST_DISPATCH)
    record.program = program.handle
    record.bindings = bp_array(ptr: UnsafeRawPointer(bindings.baseAddress), count: UInt32(given.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
    record.symbols = bp_array(ptr: UnsafeRawPointer(symbols.baseAddress), count: UInt32(numbers.count), stride: UInt32(MemoryLayout<bp_symbol_value>.stride))
    record.workspace = given2 == nil ? nil : UnsafePointer(workspace)
    dispatch.initialize(to: record)
    submission = .allocate(capacity: 1)
    var list = bp_submission()
    list.h = head(bp_submission.self, BP_ST_SUBMISSION)
    list.dispatches = bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
    submission.initialize(to: list)
  }

  /// The device shall write there when the program began and ended: one `bp_timestamp`.
  func want(timestamps binding: bp_binding) {
    let record = UnsafeMutablePointer<bp_binding>.allocate(capacity: 1)
    record.initialize(to: binding)
    timestamps = record
    submission.pointee.timestamps = UnsafePointer(record)
  }

  deinit {
    timestamps?.deallocate()
    bindings.deallocate()
    symbols.deallocate()
    workspace.deallocate()
    dispatch.deallocate()
    submission.deallocate()
  }
}
