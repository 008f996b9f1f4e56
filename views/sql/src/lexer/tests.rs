use proptest::prelude::*;

use super::*;

fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
    tokenize(text, Position { line: 1, column: 1 }).into_iter().map(|token| (token.kind, token.text)).collect()
}

#[test]
fn numbers_and_words_that_start_with_digits() {
    use TokenKind::*;
    let text = "1 1.5 .5 1. 1e5 1.5E-3 1st 1e 5@x a@1";
    let expected = [
        (Integer, "1"),
        (Decimal, "1.5"),
        (Decimal, ".5"),
        (Decimal, "1."),
        (Float, "1e5"),
        (Float, "1.5E-3"),
        (DigitWord, "1st"),
        (DigitWord, "1e"),
        (DigitWord, "5@x"),
        (Word, "a@1"),
        (End, ""),
    ];
    assert_eq!(kinds(text), expected);
}

#[test]
fn quotes_double_themselves_and_comments_vanish() {
    use TokenKind::*;
    let text = "'it''s' `a``b` \"c\" -- gone ; '\n/* x ; */ ${v} a->b";
    let expected = [
        (String, "'it''s'"),
        (Quoted, "`a``b`"),
        (Quoted, "\"c\""),
        (Variable, "${v}"),
        (Word, "a"),
        (Symbol, "->"),
        (Word, "b"),
        (End, ""),
    ];
    assert_eq!(kinds(text), expected);
}

#[test]
fn positions_count_from_one_in_code_points() {
    let tokens = tokenize("é'ü' x\n  y", Position { line: 1, column: 1 });
    let places: Vec<(u32, u32)> = tokens.iter().map(|token| (token.position.line, token.position.column)).collect();
    assert_eq!(places, [(1, 1), (1, 2), (1, 6), (2, 3), (2, 4)]);
}

#[test]
fn an_unclosed_quote_is_one_unknown_token() {
    assert_eq!(kinds("a 'b"), [(TokenKind::Word, "a"), (TokenKind::Unknown, "'b"), (TokenKind::End, "")]);
}

proptest! {
    #[test]
    fn any_text_is_tokens_in_order(text in "\\PC{0,200}") {
        let tokens = tokenize(&text, Position { line: 1, column: 1 });
        let mut at = 0;
        for token in &tokens {
            prop_assert!(token.offset >= at);
            prop_assert_eq!(&text[token.offset..token.offset + token.text.len()], token.text);
            at = token.offset + token.text.len();
        }
        prop_assert_eq!(tokens.last().map(|token| token.kind), Some(TokenKind::End));
    }
}
