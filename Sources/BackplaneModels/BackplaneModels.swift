// See Specs/architecture.md.
