"""The Celery side: hosts the live version and classifies what is queued."""
