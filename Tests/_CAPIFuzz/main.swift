// _CAPIFuzz [SEQUENCES] [SEED] [THREADS]: random sequences of calls of the C interface with the oracle as the device. `.ci/fuzz` builds it with
// sanitizers. Ends with 1 when a rule was broken, naming the seed.
// _CAPIFuzz churn [LOOPS] [handles|memory|files|PLUGIN DEVICE]: makes, uses and frees handles of every kind so many times, on the oracle or on a plugin's
// device. Ends with 1 when something is left behind; one of the three words leaves something on purpose.
import BackplaneC
import BackplaneCHeader
import BackplaneModels
import BackplaneReference
import Foundation
import _CAPIFuzzer

if CommandLine.arguments.dropFirst().first == "churn" { churn(Array(CommandLine.arguments.dropFirst(2))) }
let numbers = CommandLine.arguments.dropFirst().map { UInt64($0) ?? 0 }
let sequences = numbers.count > 0 ? numbers[0] : 10_000
let seed = numbers.count > 1 ? numbers[1] : 1
let threadCount = numbers.count > 2 ? min(max(1, Int(numbers[2])), 64) : 1

func must(_ status: Int32) { if status != BP_OK { fatalError("the fuzzer's own runtime or model is refused: \(status)") } }

let folder = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-fuzz-\(getpid())").path
try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
try SyntheticModel.write(to: folder + "/model.gguf", architecture: .llama, seed: 3)
var (runtime, model, generator): (bp_runtime?, bp_model?, bp_generator?) = (nil, nil, nil)
var options = bp_runtime_options()
options.struct_size = UInt32(MemoryLayout<bp_runtime_options>.size)
(options.flags, options.threads) = (BP_RUNTIME_ONLY_PATHS | BP_RUNTIME_NO_PROBE | BP_RUNTIME_QUIET, 2)
must(bp_runtime_create(&options, &runtime, nil))
must(bp_runtime_register(runtime, ReferencePlugin.table, nil))
must(bp_model_load(folder + "/model.gguf", nil, &model, nil))
"reference".withCString { device in
  var options = bp_compile_options()
  (options.struct_size, options.devices) = (UInt32(MemoryLayout<bp_compile_options>.size), device)
  must(bp_generator_create(runtime, model, &options, &generator, nil))
}

var results = [fuzz_result](repeating: fuzz_result(), count: threadCount)
var (done, calls, runs): (UInt64, UInt64, UInt64) = (0, 0, 0)
var violation = ""
while done < sequences, violation.isEmpty {
  let part = min(sequences - done, 10_000)
  "reference".withCString { device in
    folder.withCString { folder in
      // Threads that share handles write no files: one would change what another reads.
      var options = fuzz_options(seed: seed + done / 10_000 * UInt64(threadCount), sequences: part, runtime: runtime, device: device, generator: generator,
                                 folder: threadCount > 1 ? nil : folder, shares_handles: threadCount > 1 ? 1 : 0)
      capi_fuzz_together(&options, UInt32(threadCount), &results)
    }
  }
  for result in results {
    (calls, runs) = (calls + result.calls, runs + result.runs)
    let text = withUnsafeBytes(of: result.violation) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if violation.isEmpty { violation = text }
  }
  done += part
  if isatty(2) == 1 { FileHandle.standardError.write(Data("\r\u{1b}[K\(done) of \(sequences)".utf8)) }
}
for handle in [generator, model, runtime] { must(bp_free(UnsafeRawPointer(handle))) }
try FileManager.default.removeItem(atPath: folder)
if isatty(2) == 1 { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
print("\(done * UInt64(threadCount)) sequences from seed \(seed) in \(threadCount) threads: \(calls) calls, \(runs) runs" + (violation.isEmpty ? "" : "\n\(violation)"))
exit(violation.isEmpty ? 0 : 1)
