"""The ways to an answer (`routes`) and the steps that they share."""
