import BackplaneCore
import BackplaneRegistry
@testable import BackplaneTuner
import Foundation

/// A space of a tiled kernel and a plain one, with times that follow a law with interactions; no two configurations take the same time.
func tiledSpace() throws -> TuningSpace {
  let tiled = Variant(name: "tiled", parameters: [
    .init(name: "rows", standard: 4, values: [1, 2, 4, 8, 16]), .init(name: "columns", standard: 4, values: [1, 2, 4, 8, 16]),
    .init(name: "depth", standard: 32, values: [16, 32, 64, 128, 256]), .init(name: "group", standard: 8, values: [1, 8, 16, 32, 64]),
    .init(name: "wide", kind: .switch, standard: 0, values: [0, 1]),
  ], constraint: try Formula("rows * columns <= 64 && 4 * depth * (rows + columns) <= 16384"))
  let plain = Variant(name: "plain", parameters: [.init(name: "group", standard: 8, values: [1, 8, 16, 32, 64])])
  return TuningSpace(variants: [plain, tiled])
}

func time(_ configuration: Configuration, _ space: TuningSpace) -> Double {
  let v = configuration.values.map(Double.init)
  let jitter = 1 + 0.01 * Double(Identifier("\(configuration)").value % 1000) / 1000
  if configuration.variant == "plain" { return (400 + 3 * abs(log2(v[0]) - 4)) * jitter }
  let (rows, columns, depth, group, wide) = (v[0], v[1], v[2], v[3], v[4])
  let registers = rows * columns > 32 ? 1.8 : 1.0
  return (60 + 90 / rows + 70 / columns + 40 * abs(log2(depth) - 7) + 25 * abs(log2(group) - 3) + 30 * wide * (columns < 8 ? 1 : -0.4)) * registers * jitter
}

func recording(_ id: String = "matmul/a=f32.64x512/b=f32.512x512") throws -> RecordedSpace {
  let space = try tiledSpace()
  var recording = RecordedSpace(of: space, case: id, device: "test", driver: "1", date: "2026-01-01")
  for configuration in space.configurations() { recording.add(configuration, [time(configuration, space)]) }
  return recording
}
