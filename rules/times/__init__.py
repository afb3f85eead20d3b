"""Times that come again, in the clock of a place: calendars, cron lines and time zones."""
