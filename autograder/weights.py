"""How the notebooks count: what each one weighs in the course's total of 100. This is the one place to change it."""

WEIGHTS = {
    "01_fundamentals": 5, "02_ann": 5, "03_cnn": 5, "04_rnn": 5, "05_lstm_gru": 5, "06_attention": 5, "07_transformers": 5,
    "08_comparison": 5, "09_final_project": 60,
}  # fmt: skip
