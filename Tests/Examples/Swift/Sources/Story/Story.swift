import Backplane
import BackplaneModels

/// Generates text as it comes: `swift run Story MODEL.gguf PROMPT`.
@main struct Story {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else { fatalError("usage: Story MODEL.gguf PROMPT") }
    let conversation = try Conversation(LanguageModel(path: arguments[1]), on: Runtime())
    for try await piece in conversation.text(after: arguments[2], TextOptions(maximumTokens: 32)) {
      print(piece.text, terminator: "")
    }
    print()
    let devices = Set(await conversation.placement.programs.map(\.device))
    print("on \(devices.sorted().joined(separator: ", "))")
  }
}
