import BackplaneC
import BackplaneCHeader
import BackplaneModels
import BackplaneReference
import Foundation
import Testing
import _TestSupport

extension CInterface {
  @Suite struct TextTests {
    private let handles = Handles()
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Everything that `bp_generate` said.
    private final class Listener {
      var bytes: [UInt8] = []
      var tokens: [Int32] = []
      var most = Int.max
    }
    private let listen: bp_text_fn = { user, text, count, token in
      let listener = Unmanaged<Listener>.fromOpaque(user!).takeUnretainedValue()
      listener.bytes += UnsafeRawBufferPointer(start: text, count: count)
      if token >= 0 { listener.tokens.append(token) }
      return listener.tokens.count >= listener.most ? 1 : 0
    }

    @Test func textIsStreamedAndTheSameStepByStep() throws {
      let (model, generator) = try handles.generator(handles.runtime(), folder)
      var options = sized(bp_generate_options())
      options.maximum_tokens = 6
      var result = sized(bp_generation())
      let listener = Listener()
      let user = Unmanaged.passUnretained(listener).toOpaque()
      try must { bp_generate(generator, "hello world", &options, listen, user, &result, $0) }
      #expect(listener.tokens.count == Int(result.tokens) && result.prompt_tokens > 0)
      #expect(result.ending == BP_END_COUNT || result.ending == BP_END_OF_TEXT)

      try must { bp_generator_begin(generator, "hello world", &options, $0) }
      var (tokens, bytes, ending): ([Int32], [UInt8], Int32) = ([], [], BP_END_NONE)
      while true {
        var (buffer, needed, token) = ([CChar](repeating: 0, count: 64), 0, Int32(-2))
        // A buffer that is too small changes nothing.
        #expect(bp_generator_next(generator, nil, 0, &needed, &token, &ending, nil) == BP_MORE)
        try must { bp_generator_next(generator, &buffer, 64, &needed, &token, &ending, $0) }
        if ending != BP_END_NONE { break }
        if token >= 0 { tokens.append(token) }
        bytes += buffer[..<(needed - 1)].map(UInt8.init(bitPattern:))
      }
      #expect(tokens == listener.tokens && bytes == listener.bytes && ending == result.ending)

      let again = Listener()
      again.most = 2
      try must { bp_generate(generator, "hello world", &options, listen, Unmanaged.passUnretained(again).toOpaque(), &result, $0) }
      #expect(again.tokens == Array(listener.tokens.prefix(2)) && result.ending == BP_END_STOPPED)
      var (ids, needed) = ([Int32](repeating: 0, count: 32), 0)
      try must { bp_model_tokenize(model, "hello world", &ids, 32, &needed, $0) }
      #expect(needed == Int(result.prompt_tokens))
    }

    @Test func wrongRequestsAreNamed() throws {
      let runtime = try handles.runtime()
      let (_, generator) = try handles.generator(runtime, folder)
      var (options, needed): (bp_generate_options, Int) = (sized(bp_generate_options()), 0)
      refused(BP_E_INVALID, "nothing has begun") { bp_generator_next(generator, nil, 0, &needed, nil, nil, $0) }
      options.top_p = 7
      refused(BP_E_INVALID, "top-p is 7") { bp_generate(generator, "x", &options, nil, nil, nil, $0) }
      options.top_p = 0
      refused(BP_E_INVALID, "exceed the context of 64") { bp_generate(generator, String(repeating: "word ", count: 100), &options, nil, nil, nil, $0) }
      var made: bp_generator?
      let graph = try handles.example()
      refused(BP_E_INVALID, "no language model") { bp_generator_create(runtime, graph.model, nil, &made, $0) }
      // A callback that uses its generator is told so.
      let meddle: bp_text_fn = { user, _, _, _ in
        #expect(bp_generator_reset(OpaquePointer(user!), nil) == BP_E_BUSY)
        return 1
      }
      try must { bp_generate(generator, "x", &options, meddle, UnsafeMutableRawPointer(generator), nil, $0) }
    }

    @Test func aConversationStreamsTheSameTextAsynchronously() async throws {
      let path = folder.path + "/swift.gguf"
      try SyntheticModel.write(to: path, architecture: .llama, seed: 3)
      var options = Runtime.Options()
      (options.searchesForPlugins, options.threads) = (false, 2)
      let runtime = Runtime(options)
      try runtime.register(inProcess: ReferencePlugin.table)
      let model = try LanguageModel(path: path)
      let devices = CompileOptions(devices: [try runtime.device("reference")])
      let generator = try TextGenerator(model, on: runtime, options: devices)
      var steps = try TextSteps(generator, after: "hello", TextOptions(maximumTokens: 5))
      var wanted: [TextPiece] = []
      while let piece = try steps.next() { wanted.append(piece) }

      let conversation = try Conversation(model, on: runtime, options: devices)
      let stream = conversation.text(after: "hello", TextOptions(maximumTokens: 5))
      for _ in 0..<2 {
        var pieces: [TextPiece] = []
        for try await piece in stream { pieces.append(piece) }
        #expect(pieces == wanted && !pieces.isEmpty)
      }
      #expect(await conversation.statistics?.tokens == wanted.compactMap(\.token))

      // A text that another one has pushed aside, and a task that is cancelled.
      var (old, new) = (stream.makeAsyncIterator(), stream.makeAsyncIterator())
      _ = try await old.next()
      _ = try await new.next()
      await #expect(throws: BackplaneError(.invalid, "")) { try await old.next() }
      let task = Task { () async -> BackplaneError? in
        do throws(BackplaneError) {
          while !Task.isCancelled { await Task.yield() }
          for try await _ in stream {}
          return nil
        } catch {
          return error
        }
      }
      task.cancel()
      #expect(await task.value?.kind == .cancelled)
    }
  }
}
