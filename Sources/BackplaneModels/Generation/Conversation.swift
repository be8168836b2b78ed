import Backplane
import Foundation

/// A language model as an actor: texts come as asynchronous sequences.
///
/// ```swift
/// let conversation = try Conversation(LanguageModel(path: path), on: Runtime())
/// for try await piece in conversation.text(after: "Once upon a time") { print(piece.text, terminator: "") }
/// ```
///
/// Work is done on a thread of the conversation's own, never on the threads that tasks share. A piece is computed when it is asked for: a loop that is
/// left computes no more. Cancelling the task that waits for a piece ends the text with `BackplaneError` (cancelled).
public actor Conversation {
  private let generator: TextGenerator
  private var steps: TextSteps?
  private var number = 0
  private let thread = ThreadExecutor(name: "backplane-text")

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Compiles the model, on the caller's thread.
  ///
  /// - Throws: `BackplaneError`, as ``TextGenerator`` does.
  public init(_ model: LanguageModel, on runtime: Runtime, options: CompileOptions = CompileOptions()) throws(BackplaneError) {
    generator = try TextGenerator(model, on: runtime, options: options)
  }

  deinit { thread.stop() }

  /// The text that follows a prompt. Nothing is done before its first piece is asked for; each iteration begins anew.
  public nonisolated func text(after prompt: String, _ options: TextOptions = TextOptions()) -> TextStream {
    TextStream(conversation: self, prompt: prompt, options: options)
  }

  /// What single tokens run on, and where.
  public var placement: PlacementReport { generator.compiled.report }
  /// Tokens in the cache.
  public var past: Int { generator.past }
  /// Of the text that was begun last.
  public var statistics: Generation? { steps?.result }

  /// Forgets every token.
  public func reset() throws(BackplaneError) {
    steps = nil
    try generator.reset()
  }

  /// A number for ``next(_:_:)``.
  func begin(_ prompt: String, _ options: TextOptions) -> Result<Int, BackplaneError> {
    do throws(BackplaneError) {
      steps = try TextSteps(generator, after: prompt, options)
      number += 1
      return .success(number)
    } catch {
      return .failure(error)
    }
  }

  func next(_ number: Int, _ cancellation: CancellationToken) -> Result<TextPiece?, BackplaneError> {
    guard number == self.number, steps != nil else {
      return .failure(BackplaneError(.invalid, "another text was begun, or the conversation was reset", hint: "one text at a time"))
    }
    do throws(BackplaneError) {
      return .success(try steps!.next(cancellation: cancellation))
    } catch {
      return .failure(error)
    }
  }
}

/// The pieces of a text as they are generated.
public struct TextStream: AsyncSequence, Sendable {
  public typealias Element = TextPiece
  public typealias Failure = BackplaneError

  let conversation: Conversation
  let prompt: String
  let options: TextOptions

  public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

  public struct Iterator: AsyncIteratorProtocol {
    let stream: TextStream
    private var number: Int?

    init(stream: TextStream) { self.stream = stream }

    /// - Throws: `BackplaneError`: the prompt or options are wrong, a device fails, the task was cancelled.
    public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws(BackplaneError) -> TextPiece? {
      if number == nil { number = try await stream.conversation.begin(stream.prompt, stream.options).get() }
      let (token, conversation, number) = (CancellationToken(), stream.conversation, number!)
      let result = await withTaskCancellationHandler {
        await conversation.next(number, token)
      } onCancel: {
        token.cancel()
      }
      return try result.get()
    }

    public mutating func next() async throws(BackplaneError) -> TextPiece? { try await next(isolation: nil) }
  }
}

/// One thread that runs an actor's jobs in order.
final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  private let changed = NSCondition()
  private var jobs: [UnownedJob] = []
  private var isStopping = false

  init(name: String) {
    let thread = Thread { [weak self] in
      while let executor = self, executor.runOne() {}
    }
    thread.name = name
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    changed.lock()
    jobs.append(job)
    changed.signal()
    changed.unlock()
  }

  /// What was enqueued before is done; the thread ends then.
  func stop() {
    changed.lock()
    isStopping = true
    changed.signal()
    changed.unlock()
  }

  /// False at the end.
  private func runOne() -> Bool {
    changed.lock()
    while jobs.isEmpty, !isStopping { changed.wait() }
    let job = jobs.isEmpty ? nil : jobs.removeFirst()
    changed.unlock()
    job?.runSynchronously(on: asUnownedSerialExecutor())
    return job != nil
  }
}
