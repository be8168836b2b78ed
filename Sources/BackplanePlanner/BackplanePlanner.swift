// The memory planner.
