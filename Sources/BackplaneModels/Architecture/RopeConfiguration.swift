import Backplane
import Foundation

/// Rotary position embedding of a model: which pairs, how fast each turns.
public struct RopeConfiguration: Sendable, Hashable {
  /// Pairs (2i, 2i+1) when true, (i, i + n/2) when false.
  public var interleaved: Bool
  /// Radians per position for each pair, in layers that see everything.
  public var globalFrequencies: [Float]
  /// The same in local layers; equal where a model has no local layers.
  public var localFrequencies: [Float]

  init(_ file: GGUFFile, family: String, architecture: ModelArchitecture, headLength: Int) throws(BackplaneError) {
    let metadata = file.metadata
    let rotated = try metadata.int("\(family).rope.dimension_count") ?? headLength
    guard rotated >= 2, rotated % 2 == 0, rotated <= headLength else {
      throw BackplaneError(.file, "\(family).rope.dimension_count is \(rotated); it must be even and at most the head's \(headLength)", subject: file.path)
    }
    let base = try metadata.float("\(family).rope.freq_base") ?? 10_000
    guard base > 1, base.isFinite else { throw BackplaneError(.file, "\(family).rope.freq_base is \(base)", subject: file.path) }
    var factor = 1.0
    // A factor without a type is linear; older files have it under another name. 0 means none.
    let older = try metadata.float("\(family).rope.scale_linear")
    let given = try metadata.float("\(family).rope.scaling.factor") ?? older ?? 1
    switch try metadata.string("\(family).rope.scaling.type") ?? "linear" {
    case "none": break
    case "linear": factor = given == 0 ? 1 : given
    case let other:
      throw BackplaneError(.unsupported, "rope scaling '\(other)' is not supported", subject: file.path, hint: "supported: none, linear, and frequency factors")
    }
    guard factor > 0, factor.isFinite else { throw BackplaneError(.file, "\(family).rope.scaling.factor is \(factor)", subject: file.path) }
    let perPair = try RopeConfiguration.factors(file, count: rotated / 2)
    func table(_ base: Double, _ factor: Double, _ perPair: [Double]) -> [Float] {
      (0..<rotated / 2).map { Float(pow(base, -2 * Double($0) / Double(rotated)) / factor / perPair[$0]) }
    }
    interleaved = architecture == .llama
    globalFrequencies = table(base, factor, perPair)
    // Local layers turn as they did before the context was stretched.
    let localBase = try metadata.float("\(family).rope.freq_base_swa") ?? 10_000
    guard localBase > 1, localBase.isFinite else { throw BackplaneError(.file, "\(family).rope.freq_base_swa is \(localBase)", subject: file.path) }
    localFrequencies = architecture == .gemma3 ? table(localBase, 1, [Double](repeating: 1, count: rotated / 2)) : globalFrequencies
  }

  /// Llama 3's per-frequency divisors, ones where the file has none.
  private static func factors(_ file: GGUFFile, count: Int) throws(BackplaneError) -> [Double] {
    guard let tensor = file.tensor("rope_freqs.weight") else { return [Double](repeating: 1, count: count) }
    guard tensor.format == .f32, tensor.shape.fixedExtents == [count] else {
      throw BackplaneError(.file, "tensor rope_freqs.weight is \(tensor.format)\(tensor.shape), not f32[\(count)]", subject: file.path)
    }
    let bytes = file.bytes(of: tensor)
    let values = (0..<count).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
    guard values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw BackplaneError(.file, "tensor rope_freqs.weight holds a factor that is not positive and finite", subject: file.path)
    }
    return values
  }
}
