"""Results into tables and pages: `results` (read), `report` (write), `html`; colour `baseline`."""
