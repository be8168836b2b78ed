import Backplane

/// Runs a language model token by token on the devices it was compiled for.
///
/// Holds one session, so one conversation: the cache grows with every token until ``reset()``. One thread at a time.
public final class TextGenerator {
  public let model: LanguageModel
  public let compiled: CompiledGraph
  public let session: Session
  /// Tokens in the cache: what the next token is generated from.
  public private(set) var past = 0

  /// Compiles the model and binds its weights, which stay in the mapped file where the device can read them there.
  ///
  /// - Throws: ``BackplaneError``: a node that no device takes, with each device's reason; memory; a changed file.
  public init(_ model: LanguageModel, on runtime: Runtime, options: CompileOptions = CompileOptions()) throws(BackplaneError) {
    self.model = model
    compiled = try runtime.compile(model.graph, options)
    session = try Session(compiled, constants: model.constantSources())
  }

  /// Forgets every token.
  public func reset() throws(BackplaneError) { past = 0 }

  /// Adds tokens to the cache and gives the logits that follow the last of them.
  ///
  /// Longer inputs than the model's `maximumTokens` go in chunks. The cache counts tokens only after a run succeeded.
  ///
  /// - Returns: `vocabularySize` logits, valid until the next call.
  /// - Throws: ``BackplaneError`` (invalid) when the cache is too short or a token is not in the vocabulary; what a device says.
  @discardableResult
  public func feed(_ ids: [Int32], cancellation: CancellationToken? = nil) throws(BackplaneError) -> UnsafeBufferPointer<Float> {
    guard !ids.isEmpty else { throw BackplaneError(.invalid, "no tokens to feed", hint: "begin with the beginning-of-sequence token") }
    guard past + ids.count <= model.contextLength else {
      throw BackplaneError(.invalid, "\(past) cached and \(ids.count) new tokens exceed the context of \(model.contextLength)", hint: "a larger --context")
    }
    if let wrong = ids.first(where: { $0 < 0 || Int($0) >= model.configuration.vocabularySize }) {
      throw BackplaneError(.invalid, "token \(wrong) is not in the vocabulary of \(model.configuration.vocabularySize)")
    }
    let tokenIDs = session.inputPointer(model.tokenIDs).bindMemory(to: Int32.self)
    let positions = session.inputPointer(model.positions).bindMemory(to: Int32.self)
    let rows = session.inputPointer(model.outputRows).bindMemory(to: Int32.self)
    var begin = 0
    while begin < ids.count {
      let count = min(ids.count - begin, model.tokens.bounds.upperBound)
      for i in 0..<count {
        tokenIDs[i] = ids[begin + i]
        positions[i] = Int32(past + i)
      }
      rows[0] = Int32(count - 1)
      symbols[model.tokens] = count
      symbols[model.kv] = past + count
      symbols[model.outputs] = 1
      try session.run(symbols: symbols, cancellation: cancellation)
      past += count
      begin += count
    }
    return UnsafeBufferPointer(rebasing: session.outputPointer(model.logits).bindMemory(to: Float.self)[..<model.configuration.vocabularySize])
  }
  private var symbols = SymbolValues()

  /// Generates until `count` tokens, the end of generation, or the end of the context.
  ///
  /// - Parameters:
  ///   - prompt: At least one token.
  ///   - onToken: Called with each token as it comes; false stops.
  public func generate(from prompt: [Int32], count: Int, sampler: inout Sampler, cancellation: CancellationToken? = nil,
                       onToken: (Int32) throws -> Bool = { _ in true }) throws -> Generation {
    var result = Generation()
    var clock = Stopwatch()
    var logits = try feed(prompt, cancellation: cancellation)
    result.promptNanoseconds = clock.lap()
    result.promptTokenCount = prompt.count
    while result.tokens.count < count {
      let next = try sampler.next(logits)
      if model.tokenizer.endsOfGeneration.contains(next) { result.ending = .endOfGeneration; break }
      result.tokens.append(next)
      let goesOn = try onToken(next)
      if !goesOn { result.ending = .stopped; break }
      if result.tokens.count == count { break }
      if past == model.contextLength { result.ending = .contextFull; break }
      logits = try feed([next], cancellation: cancellation)
      result.decodedTokenCount += 1
    }
    result.decodeNanoseconds = clock.lap()
    return result
  }
}

/// What a generation came to.
public struct Generation: Sendable {
  public enum Ending: String, Sendable { case count, endOfGeneration, contextFull, stopped }
  public var tokens: [Int32] = []
  public var ending = Ending.count
  public var promptTokenCount = 0
  /// Tokens that were fed one at a time; the first generated token comes from the prompt's own run.
  public var decodedTokenCount = 0
  public var promptNanoseconds: UInt64 = 0
  public var decodeNanoseconds: UInt64 = 0
  public init() {}

  public var promptTokensPerSecond: Double { Generation.rate(promptTokenCount, promptNanoseconds) }
  /// Sampling included.
  public var decodeTokensPerSecond: Double { Generation.rate(decodedTokenCount, decodeNanoseconds) }
  static func rate(_ count: Int, _ nanoseconds: UInt64) -> Double { nanoseconds == 0 ? 0 : Double(count) * 1e9 / Double(nanoseconds) }
}

/// Time since it was made, or since the last lap.
public struct Stopwatch {
  private var begin = ContinuousClock.now
  public init() {}
  public mutating func lap() -> UInt64 {
    let now = ContinuousClock.now
    defer { begin = now }
    let elapsed = (now - begin).components
    return UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
  }
}

extension LanguageModel {
  /// Every constant's bytes, for a session.
  public func constantSources() throws(BackplaneError) -> [TensorID: ConstantSource] {
    var result: [TensorID: ConstantSource] = [:]
    for (id, source) in sources {
      result[id] = switch source {
      case .file(let offset, let count): ConstantSource(file.bytes(at: offset, count: count), owner: file)
      case .memory(let bytes): ConstantSource(bytes)
      }
    }
    return result
  }
}
