import BackplaneABI
import BackplaneCore
import BackplaneRegistry

func head<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

extension DeviceProgram {
  /// Runs the program once.
  ///
  /// - Parameters:
  ///   - bindings: Inputs, then outputs, as the program's graph has them.
  ///   - timestamps: Where one `bp_timestamp` is written; nil: none is wanted.
  package func run(_ bindings: [bp_binding], symbols: SymbolValues = [:], workspace: bp_binding? = nil, cancel: UnsafeMutableRawPointer? = nil,
                   deadline: UInt64 = 0, timestamps: bp_binding? = nil) throws(BackplaneError) {
    let values = symbols.ascending.map {
      bp_symbol_value(h: head(bp_symbol_value.self, BP_ST_SYMBOL_VALUE), symbol: $0.number, reserved0: 0, value: Int64($0.value))
    }
    let result: Result<Void, BackplaneError> = bindings.withUnsafeBufferPointer { bindings in
      values.withUnsafeBufferPointer { values in
        [workspace ?? bp_binding(), timestamps ?? bp_binding()].withUnsafeBufferPointer { scratch in
          var dispatch = bp_dispatch()
          dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
          dispatch.program = handle
          dispatch.bindings = bp_array(ptr: UnsafeRawPointer(bindings.baseAddress), count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
          dispatch.symbols = bp_array(ptr: UnsafeRawPointer(values.baseAddress), count: UInt32(values.count), stride: UInt32(MemoryLayout<bp_symbol_value>.stride))
          dispatch.workspace = workspace == nil ? nil : scratch.baseAddress
          return withUnsafePointer(to: &dispatch) { dispatch in
            var submission = bp_submission()
            submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
            submission.dispatches = bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
            (submission.cancel, submission.deadline_ns) = (cancel, deadline)
            if timestamps != nil { submission.timestamps = scratch.baseAddress! + 1 }
            do throws(BackplaneError) {
              try device.execute(&submission)
              return .success(())
            } catch { return .failure(error) }
          }
        }
      }
    }
    try result.get()
  }
}
