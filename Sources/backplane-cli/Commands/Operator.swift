import Backplane
import BackplaneGenerator
import Foundation

let operatorCommand = Command(
  name: "operator", summary: "Check the definition of an operator of your own; say it in words, or as C macros",
  positionals: ["FILE.json"], options: [Option("header", nil, "print what a plugin in C includes: its number, places of operands and attributes")]
) { arguments in
  let file = URL(fileURLWithPath: arguments.positionals[0]).standardizedFileURL.path
  let names = try OperatorFolder.register(at: file)
  if arguments.has("header") {
    let files = names.count == 1 && file.hasSuffix(".json") ? [file] : names.map { "\(file)/\($0).json" }
    print(try Generator.header(ofOperators: files), terminator: "")
  } else {
    for name in names { for line in OperatorSpec.named(name)!.lines { print(line) } }
  }
  return .success
}
