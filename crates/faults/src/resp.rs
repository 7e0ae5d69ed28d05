//! A word with Redis, for what is done to it: the little of its protocol that commands of an operator need.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long a server may take to answer, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends one command over a connection of its own and returns the answer as text; an array's parts by lines.
///
/// # Errors
/// The server cannot be reached in time, or refuses the command.
pub(crate) async fn ask(port: u16, words: &[&str]) -> Result<String> {
    let asked = async {
        let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        connection.write_all(text.as_bytes()).await?;
        let mut left = 1_u64;
        let mut parts = Vec::new();
        while left > 0 {
            left -= 1;
            let mut line = String::new();
            connection.read_line(&mut line).await?;
            let line = line.trim_end();
            match line.split_at_checked(1) {
                Some(("+" | ":", text)) => parts.push(text.to_owned()),
                Some(("-", text)) => bail!("{words:?}: {text}"),
                Some(("$", "-1")) | Some(("*", "-1")) => parts.push(String::new()),
                Some(("$", length)) => {
                    let mut body = vec![0; length.parse::<usize>()? + 2];
                    connection.read_exact(&mut body).await?;
                    body.truncate(body.len() - 2);
                    parts.push(String::from_utf8_lossy(&body).into_owned());
                }
                Some(("*", count)) => left += count.parse::<u64>()?,
                Some(_) | None => bail!("{words:?}: {line:?} is no answer"),
            }
        }
        Ok(parts.join("\n"))
    };
    tokio::time::timeout(PATIENCE, asked).await.with_context(|| format!("{words:?}: no answer"))?
}
