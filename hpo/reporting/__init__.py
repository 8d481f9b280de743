"""What a study says: statistics, figures and the page. It knows nothing of torch."""
