import Backplane

/// One generation, a token at a time, at the caller's pace.
///
/// Begins with the prompt's run in the first step. Uses its generator, so one at a time on one thread at a time; whatever else feeds the generator
/// between two steps becomes a part of the text.
public struct GenerationSteps {
  /// What has been generated so far; its ending counts once a step gave nil.
  public private(set) var result = Generation()
  public private(set) var sampler: Sampler
  private let generator: TextGenerator
  private let prompt: [Int32]
  private let count: Int
  private var clock = Stopwatch()
  private var isOver = false

  /// - Parameters:
  ///   - prompt: At least one token.
  ///   - count: Most tokens to generate.
  public init(_ generator: TextGenerator, from prompt: [Int32], count: Int, sampler: Sampler) {
    (self.generator, self.prompt, self.count, self.sampler) = (generator, prompt, count, sampler)
  }

  /// The next token; nil when the generation has come to its end, whose kind ``result`` has.
  ///
  /// - Throws: `BackplaneError`: what ``TextGenerator/feed(_:cancellation:)`` and ``Sampler`` say. The generation is over then.
  public mutating func next(cancellation: CancellationToken? = nil) throws(BackplaneError) -> Int32? {
    if isOver { return nil }
    do throws(BackplaneError) {
      guard let token = try step(cancellation) else {
        isOver = true
        return nil
      }
      return token
    } catch {
      isOver = true
      throw error
    }
  }

  /// Ends the generation here.
  public mutating func stop() {
    if !isOver { result.ending = .stopped }
    isOver = true
  }

  private mutating func step(_ cancellation: CancellationToken?) throws(BackplaneError) -> Int32? {
    defer { if result.promptTokenCount > 0 { result.decodeNanoseconds += clock.lap() } }
    let logits: UnsafeBufferPointer<Float>
    if let last = result.tokens.last {
      if result.tokens.count >= count { return nil }
      if generator.past == generator.model.contextLength {
        result.ending = .contextFull
        return nil
      }
      logits = try generator.feed([last], cancellation: cancellation)
      result.decodedTokenCount += 1
    } else {
      clock = Stopwatch()
      logits = try generator.feed(prompt, cancellation: cancellation)
      result.promptNanoseconds = clock.lap()
      result.promptTokenCount = prompt.count
      if count <= 0 { return nil }
    }
    let token = try sampler.next(logits)
    if generator.model.tokenizer.endsOfGeneration.contains(token) {
      result.ending = .endOfGeneration
      return nil
    }
    result.tokens.append(token)
    return token
  }
}
