import Backplane

let devicesCommand = Command(
  name: "devices", summary: "List plugins and devices: memory, features, state, and why one is not ready",
  positionals: [], options: [SharedOptions.json] + SharedOptions.runtime
) { arguments in
  let report = try SharedOptions.makeRuntime(arguments).registry.deviceReport()
  if arguments.has("json") { print(report.json()) } else { for line in report.lines() { print(line) } }
  return .success
}
