import Backplane

/// Runs a language model token by token on the devices it was compiled for.
///
/// Holds one conversation: the cache grows with every token until ``reset()``. One thread at a time.
///
/// Devices that take static shapes only (property `static_shapes`) get the graph compiled for single tokens and for whole chunks of a
/// prompt, the last one padded; all of them write the same cache. A device that is lost is brought back; where it held the cache, the
/// tokens are run again in the same chunks; one that does not come back is left out from then on.
public final class TextGenerator {
  public let model: LanguageModel
  /// What single tokens run on.
  public var compiled: CompiledGraph { stages[0].compiled }
  public var session: Session { stages[0].session }
  /// What devices estimate of all runs so far, where they tell what their programs take: nanoseconds on their clock, and joules.
  public var estimatedCosts: [String: DeviceProgram.Cost] {
    var costs: [String: DeviceProgram.Cost] = [:]
    for stage in stages {
      for program in stage.compiled.report.programs {
        guard let cost = program.cost else { continue }
        costs[program.device, default: .init()].add(cost, times: stage.session.runCount)
      }
    }
    return costs
  }
  /// Tokens in the cache: what the next token is generated from.
  public private(set) var past = 0

  /// The model compiled for runs of one size.
  private struct Stage {
    /// Tokens of a run; nil any number.
    var size: Int?
    var compiled: CompiledGraph
    var session: Session
  }
  /// The first one takes single tokens; others are made when a prompt needs them.
  private var stages: [Stage] = []
  /// Sizes of prompt chunks where shapes are static; empty where they are not.
  private var chunks: [Int] = []
  private let wantedChunks: [Int]
  private let runtime: Runtime
  private var options: CompileOptions
  private let constants: [TensorID: ConstantSource]
  private let memoryBudget: Int?
  /// The runs that filled the cache: to fill it again.
  private var history: [(tokens: [Int32], size: Int?)] = []

  /// Compiles the model and binds its weights, which stay in the mapped file where the device can read them there.
  ///
  /// - Parameters:
  ///   - chunks: Sizes of the prompt's runs on devices with static shapes.
  ///   - memoryBudget: Bytes that the process may have in memory; weights are paged to keep within it.
  /// - Throws: `BackplaneError`: a node that no device takes, with each device's reason; memory; a changed file.
  public init(_ model: LanguageModel, on runtime: Runtime, options: CompileOptions = CompileOptions(), chunks: [Int] = [64, 256],
              memoryBudget: Int? = nil) throws(BackplaneError) {
    (self.model, self.runtime, self.options, wantedChunks, self.memoryBudget) = (model, runtime, options, chunks, memoryBudget)
    if memoryBudget != nil { self.options.weightBytesPerProgram = MemoryBudget.programBytes }
    constants = try model.constantSources()
    if self.options.devices.isEmpty { self.options.devices = runtime.defaultDevices }
    try compileFirst()
  }

  private func compileFirst() throws(BackplaneError) {
    let isStatic = options.devices.contains { $0.info[property: "static_shapes"] != nil }
    chunks = isStatic ? wantedChunks.filter { $0 > 1 && $0 <= model.tokens.bounds.upperBound }.sorted() : []
    stages = [try makeStage(isStatic ? 1 : nil)]
  }

  private func makeStage(_ size: Int?) throws(BackplaneError) -> Stage {
    var values = SymbolValues()
    if let size { (values[model.tokens], values[model.outputs]) = (size, 1) }
    let compiled = try runtime.compile(try model.graph.specialised(values), options)
    let session = try Session(compiled, constants: constants, sharingStatesOf: stages.first?.session, pagesWeights: memoryBudget != nil)
    if let memoryBudget { try MemoryBudget(memoryBudget).apply(to: session) }
    return Stage(size: size, compiled: compiled, session: session)
  }

  private func stage(_ size: Int?) throws(BackplaneError) -> Stage {
    if let known = stages.first(where: { $0.size == size }) { return known }
    let made = try makeStage(size)
    stages.append(made)
    return made
  }

  /// Forgets every token.
  public func reset() throws(BackplaneError) { (past, history) = (0, []) }

  /// Adds tokens to the cache and gives the logits that follow the last of them.
  ///
  /// Longer inputs than the model's `maximumTokens` go in chunks. The cache counts tokens only after a run succeeded.
  ///
  /// - Returns: `vocabularySize` logits, valid until the next call.
  /// - Throws: `BackplaneError` (invalid) when the cache is too short or a token is not in the vocabulary; what a device says.
  @discardableResult
  public func feed(_ ids: [Int32], cancellation: CancellationToken? = nil) throws(BackplaneError) -> UnsafeBufferPointer<Float> {
    guard !ids.isEmpty else { throw BackplaneError(.invalid, "no tokens to feed", hint: "begin with the beginning-of-sequence token") }
    guard past + ids.count <= model.contextLength else {
      throw BackplaneError(.invalid, "\(past) cached and \(ids.count) new tokens exceed the context of \(model.contextLength)", hint: "a larger --context")
    }
    if let wrong = ids.first(where: { $0 < 0 || Int($0) >= model.configuration.vocabularySize }) {
      throw BackplaneError(.invalid, "token \(wrong) is not in the vocabulary of \(model.configuration.vocabularySize)")
    }
    var begin = 0
    var last = session
    while begin < ids.count {
      let (size, count) = chunk(for: ids.count - begin)
      let tokens = Array(ids[begin..<begin + count])
      last = try runOrRecover(tokens, size, cancellation)
      past += count
      begin += count
      history.append((tokens, size))
    }
    return UnsafeBufferPointer(rebasing: last.outputPointer(model.logits).bindMemory(to: Float.self)[..<model.configuration.vocabularySize])
  }
  private var symbols = SymbolValues()

  /// The size of the next run, and how many of `count` tokens go into it.
  private func chunk(for count: Int) -> (size: Int?, count: Int) {
    guard stages[0].size != nil else { return (nil, min(count, model.tokens.bounds.upperBound)) }
    if let whole = chunks.last(where: { $0 <= count }) { return (whole, whole) }
    // Padding costs less than single tokens once a few are left; padded positions must fit in the cache.
    if let padded = chunks.first, count > padded / 8, past + padded <= model.contextLength { return (padded, count) }
    return (1, 1)
  }

  /// One run; the cache holds `past` tokens before and after.
  private func run(_ tokens: [Int32], _ size: Int?, past: Int, _ cancellation: CancellationToken?) throws(BackplaneError) -> Session {
    let session = try stage(size).session
    let length = size ?? tokens.count
    let tokenIDs = session.inputPointer(model.tokenIDs).bindMemory(to: Int32.self)
    let positions = session.inputPointer(model.positions).bindMemory(to: Int32.self)
    // Padding repeats the last token. What it leaves in the cache lies behind every real position, where later tokens overwrite it.
    for i in 0..<length {
      tokenIDs[i] = tokens[min(i, tokens.count - 1)]
      positions[i] = Int32(past + i)
    }
    session.inputPointer(model.outputRows).bindMemory(to: Int32.self)[0] = Int32(tokens.count - 1)
    symbols[model.tokens] = length
    symbols[model.kv] = past + length
    symbols[model.outputs] = 1
    try session.run(symbols: symbols, cancellation: cancellation)
    return session
  }

  private func runOrRecover(_ tokens: [Int32], _ size: Int?, _ cancellation: CancellationToken?) throws(BackplaneError) -> Session {
    var size = size
    var attempts = 0, isEmpty = false
    while true {
      do throws(BackplaneError) {
        if isEmpty { try refill(cancellation) }
        isEmpty = false
        return try run(tokens, size, past: past, cancellation)
      } catch {
        attempts += 1
        guard error.kind == .deviceLost, attempts <= 4 else { throw error }
        if stages.contains(where: { $0.session.hasLostStates }) {
          for stage in stages { try stage.session.resetStates() }
        } else {
          try leaveOutLost(error)
          if stages[0].size == nil { size = nil } else if size == nil { size = 1 }
        }
        isEmpty = true
      }
    }
  }

  /// Compiles without the devices that do not come back.
  private func leaveOutLost(_ error: BackplaneError) throws(BackplaneError) {
    let left = options.devices.filter { !runtime.recovery.isLost($0) }
    guard left.count < options.devices.count, !left.isEmpty else { throw error }
    options.devices = left
    stages = []
    try compileFirst()
  }

  /// Runs the tokens of the cache again.
  private func refill(_ cancellation: CancellationToken?) throws(BackplaneError) {
    var filled = 0
    for i in history.indices {
      if stages[0].size == nil { history[i].size = nil }
      _ = try run(history[i].tokens, history[i].size, past: filled, cancellation)
      filled += history[i].tokens.count
    }
  }

  /// Generates until `count` tokens, the end of generation, or the end of the context.
  ///
  /// - Parameters:
  ///   - prompt: At least one token.
  ///   - onToken: Called with each token as it comes; false stops.
  /// - Throws: `BackplaneError`: what ``GenerationSteps/next(cancellation:)`` says, or `onToken` throws.
  public func generate(from prompt: [Int32], count: Int, sampler: inout Sampler, cancellation: CancellationToken? = nil,
                       onToken: (Int32) throws(BackplaneError) -> Bool = { _ in true }) throws(BackplaneError) -> Generation {
    var steps = GenerationSteps(self, from: prompt, count: count, sampler: sampler)
    defer { sampler = steps.sampler }
    while let token = try steps.next(cancellation: cancellation) {
      if try !onToken(token) { steps.stop() }
    }
    return steps.result
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
      case .file(let offset, let count): ConstantSource(file.bytes(at: offset, count: count), owner: file, isMapped: file.isMapped)
      case .memory(let bytes): ConstantSource(bytes)
      }
    }
    return result
  }
}
