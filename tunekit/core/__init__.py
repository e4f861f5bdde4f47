"""The ground floor: trials, events, history and the job that drives them; standard library and numpy only."""
