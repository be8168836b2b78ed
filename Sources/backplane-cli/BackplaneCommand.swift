import Backplane
import Foundation

/// The tool: finds the command, runs it, turns what it throws into one line and an exit code.
@main
struct BackplaneCommand {
  static let commands: [Command] = [
    devicesCommand, runCommand, tokenizeCommand, opsCommand, explainCommand, verifyCommand, conformCommand, tuneCommand, newPluginCommand, benchCommand, modelCommand,
    manifestCommand, importONNXCommand, operatorCommand, cacheCommand, generateCommand,
  ]

  /// Started by other commands, not by people.
  static let internalCommands: [Command] = [conformChildCommand, mutationChildCommand, tuneChildCommand]

  static func main() {
    signal(SIGPIPE, SIG_DFL)
    MappedFileGuard.install()
    exit(dispatch(Array(CommandLine.arguments.dropFirst())).rawValue)
  }

  static func dispatch(_ words: [String]) -> ExitCode {
    guard let name = words.first, !["--help", "-h", "help"].contains(name) else {
      if words.count > 1, let command = commands.first(where: { $0.name == words[1] }) { print(command.help) } else { print(overview) }
      return words.isEmpty ? .usage : .success
    }
    if name == "--version" { print("backplane 0.1.0"); return .success }
    guard let command = (commands + internalCommands).first(where: { $0.name == name }) else {
      let near = commands.map(\.name).min { distance($0, name) < distance($1, name) }!
      complain("no command '\(name)'; \(distance(near, name) <= 3 ? "did you mean '\(near)'?" : "see backplane --help")")
      return .usage
    }
    if words.dropFirst().contains(where: { $0 == "--help" || $0 == "-h" }) { print(command.help); return .success }
    do {
      return try command.run(Arguments(Array(words.dropFirst()), for: command))
    } catch let error as UsageError {
      complain("\(error) (see backplane \(name) --help)")
      return .usage
    } catch {
      Terminal.progress("")
      complain("\(error)")
      return .failure
    }
  }

  private static func complain(_ text: String) {
    Terminal.writeError("backplane: \(Terminal.paint("error:", .red, onError: true)) \(text)\n")
  }

  private static var overview: String {
    """
    Backplane runs tensor graphs and language models on backend plugins, and shows that the plugins are right.

    usage: backplane COMMAND [arguments]

    \(commands.map { "  " + pad($0.name, 12) + $0.summary }.joined(separator: "\n"))

    `backplane COMMAND --help` says more. Exit codes: 0 done, 1 could not be done, 2 wrong command line, 3 a check found fault.
    """
  }
}
