import BackplaneCore
import SQLiteLibrary

/// An SQLite database. One thread at a time.
final class Database {
  private static let library: Result<bp_sqlite, BackplaneError> = {
    var table = bp_sqlite()
    if let problem = bp_sqlite_open("libsqlite3.so.0", &table) {
      return .failure(BackplaneError(.unsupported, "the tuning store needs SQLite 3: \(String(cString: problem))", hint: "install libsqlite3-0 (Debian), or go on without stored tuning"))
    }
    return .success(table)
  }()

  private let api: bp_sqlite
  private let handle: OpaquePointer
  let path: String

  /// - Throws: ``BackplaneError``: that there is no SQLite, or what SQLite says about the file.
  init(_ path: String, readOnly: Bool) throws(BackplaneError) {
    let api = try Database.library.get()
    var opened: OpaquePointer?
    let flags = readOnly ? BP_SQLITE_OPEN_READONLY : BP_SQLITE_OPEN_READWRITE | BP_SQLITE_OPEN_CREATE
    let status = api.sqlite3_open_v2(path, &opened, flags | BP_SQLITE_OPEN_FULLMUTEX, nil)
    guard status == BP_SQLITE_OK, let opened else {
      let text = opened.flatMap { api.sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "out of memory"
      if let opened { _ = api.sqlite3_close_v2(opened) }
      throw BackplaneError(.file, "the tuning store cannot be opened: \(text)", subject: path)
    }
    (self.path, self.api, handle) = (path, api, opened)
    _ = api.sqlite3_busy_timeout(handle, 20_000)
  }

  deinit { _ = api.sqlite3_close_v2(handle) }

  private func failure(_ what: String) -> BackplaneError {
    BackplaneError(.file, "\(what): \(api.sqlite3_errmsg(handle).map { String(cString: $0) } ?? "")", subject: path)
  }

  func execute(_ sql: String) throws(BackplaneError) {
    guard api.sqlite3_exec(handle, sql, nil, nil, nil) == BP_SQLITE_OK else { throw failure("the tuning store: \(sql.prefix(40))") }
  }

  /// Runs a statement with texts in the places of its question marks; every row is handed over as texts.
  ///
  /// - Returns: Rows that were changed.
  @discardableResult
  func run(_ sql: String, _ values: [String] = [], _ row: ([String]) -> Void = { _ in }, columns: Int = 0) throws(BackplaneError) -> Int {
    var statement: OpaquePointer?
    guard api.sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == BP_SQLITE_OK, let statement else { throw failure("the tuning store: \(sql.prefix(40))") }
    defer { _ = api.sqlite3_finalize(statement) }
    for (i, value) in values.enumerated() {
      var copy = value
      let status = copy.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { withUnsafePointer(to: api) { [bytes = $0] api in bp_sqlite_bind_copy(api, statement, Int32(i + 1), bytes.baseAddress, Int32(bytes.count)) } }
      }
      guard status == BP_SQLITE_OK else { throw failure("the tuning store: a value of \(sql.prefix(40))") }
    }
    while true {
      let status = api.sqlite3_step(statement)
      if status == BP_SQLITE_DONE { return Int(api.sqlite3_changes(handle)) }
      guard status == BP_SQLITE_ROW else { throw failure("the tuning store: \(sql.prefix(40))") }
      row((0..<columns).map { column in api.sqlite3_column_text(statement, Int32(column)).map { String(cString: $0) } ?? "" })
    }
  }
}
