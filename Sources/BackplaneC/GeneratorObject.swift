import Backplane
import BackplaneCHeader
import BackplaneModels

/// `bp_generator`.
final class GeneratorObject: @unchecked Sendable {
  /// Everything below is touched by one call at a time.
  let turnstile = Turnstile()
  private let generator: TextGenerator
  private var steps: TextSteps?
  private var cancellation: CancellationToken?
  /// Made, and not yet taken by the caller.
  private var pending: TextPiece?

  init(_ generator: TextGenerator) { self.generator = generator }

  static func object(_ handle: OpaquePointer?) throws(BackplaneError) -> GeneratorObject { try HandleTable.shared.object(handle, "generator") }

  var compiled: CompiledGraph { generator.compiled }
  func constants() throws(BackplaneError) -> [TensorID: ConstantSource] { try generator.model.constantSources() }
  var result: Generation { steps?.result ?? Generation() }

  func reset() throws(BackplaneError) {
    (steps, pending) = (nil, nil)
    try generator.reset()
  }

  func begin(_ prompt: String, _ given: UnsafePointer<bp_generate_options>?) throws(BackplaneError) {
    let given = try options(given, bp_generate_options(), "options")
    guard given.maximum_tokens >= 0 else { throw BackplaneError(.invalid, "options->maximum_tokens is \(given.maximum_tokens)") }
    let sampling = SamplingOptions(temperature: given.temperature, topK: Int(given.top_k), topP: given.top_p == 0 ? 1 : given.top_p, minP: given.min_p, seed: given.seed)
    let token = try CancellationObject.token(given.cancellation)
    steps = try TextSteps(generator, after: prompt, TextOptions(
      maximumTokens: given.maximum_tokens == 0 ? 128 : Int(given.maximum_tokens), sampling: sampling, continues: given.flags & BP_GENERATE_CONTINUE != 0,
      parsesSpecial: given.flags & BP_GENERATE_PARSE_SPECIAL != 0))
    (cancellation, pending) = (token, nil)
  }

  /// The next piece, which stays until ``take()``; nil at the end.
  func peek() throws(BackplaneError) -> TextPiece? {
    if pending == nil {
      guard steps != nil else { throw BackplaneError(.invalid, "nothing has begun", hint: "bp_generator_begin") }
      pending = try steps!.next(cancellation: cancellation)
    }
    return pending
  }

  func take() { pending = nil }
  func stop() { steps?.stop() }

  /// BP_END_…
  var ending: Int32 {
    switch result.ending {
    case .count: BP_END_COUNT
    case .endOfGeneration: BP_END_OF_TEXT
    case .contextFull: BP_END_CONTEXT
    case .stopped: BP_END_STOPPED
    }
  }
}
