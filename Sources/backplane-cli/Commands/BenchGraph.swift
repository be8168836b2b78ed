import Backplane
import BackplaneModels

/// `bench` of a graph file: the time of a run at the symbols' upper bounds, on zeros.
func benchGraph(_ arguments: Arguments) throws -> ExitCode {
  let repeats = try arguments.int("repeats", 1...1000) ?? 5
  let runtime = try SharedOptions.makeRuntime(arguments)
  let file = try GraphFile(path: arguments.positionals[0])
  let compiled = try runtime.compile(file.graph, CompileOptions(devices: try SharedOptions.devices(arguments, runtime)))
  let session = try Session(compiled, constants: file.constants)
  var symbols = SymbolValues()
  for symbol in compiled.symbols { symbols[symbol] = symbol.bounds.upperBound }
  var clock = Stopwatch()
  try session.run(symbols: symbols)
  // Rounds of a fifth of a second, as far as the first run tells.
  let count = max(1, min(1_000_000, 200_000_000 / Int(max(clock.lap(), 200))))
  var microseconds: [Double] = []
  for round in 0...repeats {
    Terminal.progress("round \(round) of \(repeats)")
    _ = clock.lap()
    for _ in 0..<count { try session.run(symbols: symbols) }
    if round > 0 { microseconds.append(Double(clock.lap()) / 1000 / Double(count)) }
  }
  Terminal.progress("")
  let s = summary(microseconds)
  let isDebug = compiled.devices.contains { $0.plugin.isDebugBuild }
  if arguments.has("json") {
    print(try Terminal.json(["devices": compiled.devices.map(\.id), "threads": runtime.pool.workerCount, "runs": count, "microseconds_per_run": s, "debug_build": isDebug]))
  } else {
    print("\(file.graph.nodes.count) nodes on \(compiled.devices.map(\.description).joined(separator: ", ")), \(runtime.pool.workerCount) threads, \(repeats) rounds of \(count) runs")
    print("  a run \(Terminal.rounded(s["median"]!, 2)) us  (\(Terminal.rounded(s["minimum"]!, 2)) … \(Terminal.rounded(s["maximum"]!, 2)))")
    if isDebug { print("  a plugin is a debug build: these figures mean nothing") }
  }
  return .success
}
