/// `Sources/BackplaneCore/ReasonCatalogue.generated.swift`.
struct ReasonsWriter {
  let reasons: [RegistryFile.Reason]

  var text: String {
    var text = """
      // Generated from Specs/abi/reasons.json by `backplane generate`. Do not edit.

      /// Why a device says no: what stands behind `bp_verdict.reason` and `BackplaneError.reason`.
      public enum ReasonCatalogue {
        public struct Entry: Hashable, Sendable {
          public let code: UInt32
          /// Such as `DIM_MULTIPLE`.
          public let name: String
          public let text: String
          /// What to try; nil when there is nothing to say.
          public let hint: String?
        }

        /// Nil for a code that a newer plugin may know.
        public static func with(code: UInt32) -> Entry? { code < all.count ? all[Int(code)] : nil }

        /// In the order of their codes, from 0 on.
        public static let all: [Entry] = [

      """
    for reason in reasons {
      text += "    Entry(code: \(reason.code), name: \(SwiftText.quoted(reason.name)), text: \(SwiftText.quoted(reason.text)), "
      text += "hint: \(reason.hint.map(SwiftText.quoted) ?? "nil")),\n"
    }
    return text + "  ]\n}\n"
  }
}
