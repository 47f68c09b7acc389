"""What an operator runs on one machine: all processes together, the demo, the doctor, import and export."""
