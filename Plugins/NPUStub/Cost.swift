import NPUStubEngine

/// What a program takes on the simulated chip.
struct Cost {
  var cycles = 0.0
  var picojoules = 0.0
  /// Between memory and scratchpad.
  var bytes = 0.0
  private var clock = Clock()

  /// Three engines that work side by side (DMA in, compute, DMA out); a command waits for its engine and for its half of the double buffer.
  private struct Clock {
    var loads = 0.0, work = 0.0, stores = 0.0
    /// When what lies in slot 0, 1, 2 is there, and when it may be overwritten.
    var ready = SIMD4<Double>(), free = SIMD4<Double>()
  }

  mutating func add(_ command: npu_command, _ views: [npu_view], _ chip: Chip) {
    let slot = Int(command.slot)
    let tile = Double(command.rows) * Double(command.cols)
    switch UInt32(command.operation) {
    case NPU_LOAD.rawValue, NPU_GATHER.rawValue, NPU_STORE.rawValue:
      let moved = tile * Double(views[Int(command.view)].unit_bytes)
      let duration = chip.dmaLatencyCycles + moved / chip.dmaBytesPerCycle
      bytes += moved
      picojoules += moved * chip.picojoulesPerByte
      if UInt32(command.operation) == NPU_STORE.rawValue {
        clock.stores = max(clock.stores, clock.ready[slot]) + duration
        clock.free[slot] = clock.stores
      } else {
        clock.loads = max(clock.loads, clock.free[slot]) + duration
        clock.ready[slot] = max(clock.ready[slot], clock.loads)
      }
    default:
      let (duration, energy) = compute(command, tile, chip)
      picojoules += energy
      clock.work = max(clock.work, clock.ready[slot], clock.ready[2]) + duration
      clock.ready[slot] = clock.work
      clock.free[slot] = max(clock.free[slot], clock.work)
    }
    cycles = max(clock.loads, clock.work, clock.stores)
  }

  private func compute(_ command: npu_command, _ tile: Double, _ chip: Chip) -> (cycles: Double, picojoules: Double) {
    switch UInt32(command.operation) {
    case NPU_MATMUL_I8.rawValue:
      let macs = tile * Double(command.n1)
      return (16 + macs / chip.macsPerCycleInt8, macs * chip.picojoulesPerMacInt8)
    case NPU_MATMUL.rawValue:
      let macs = tile * Double(command.n1)
      return (16 + macs / chip.macsPerCycleFloat, macs * chip.picojoulesPerMacFloat)
    default:
      // Vector operations an element: a guess at polynomials and reductions.
      let each: Double = switch UInt32(command.operation) {
      case NPU_BINARY.rawValue, NPU_ROUND_F16.rawValue: 1
      case NPU_DECODE.rawValue, NPU_QUANTISE.rawValue: 4
      case NPU_UNARY.rawValue: UInt32(command.function) < NPU_SILU.rawValue ? 1 : 12
      default: 16
      }
      let operations = max(tile, Double(command.cols)) * each
      return (16 + operations / chip.vectorLanes, operations * chip.picojoulesPerVectorOperation)
    }
  }

  func nanoseconds(_ chip: Chip) -> Double { (cycles + chip.launchCycles) * 1000 / chip.clockMHz }
  /// What idles while the program runs costs too: 1 mW · 1 ns = 1 pJ.
  func joules(_ chip: Chip) -> Double { (picojoules + chip.idleMilliwatts * nanoseconds(chip)) * 1e-12 }
}
