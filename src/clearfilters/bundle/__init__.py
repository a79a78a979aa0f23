"""Trainings on a borrowed GPU without network: packed here, run there, put in place here."""
