"""Seeds of chat templates."""
from formats import write

# Chats, as short as the marks of each family allow.
CHATS = {
    "chatml": r"{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}",
    "qwen3": r"last_query_index </think> {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}",
    "system": r"{{- '<|im_start|>system\nBe kind.<|im_end|>\n' }}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}",
    "llama3": r"""'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' add_generation_prompt {%- set date_string = "26 Jul 2024" %} {{- "Cutting Knowledge Date: December 2023\n" }}""",
    "llama2": r"{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{{ ' '  + content.strip() + ' ' + eos_token }}",
    "mistral": r"{{ '[INST] ' + message['content'] + ' [/INST]' }}{{ message['content'] + eos_token}}",
    "gemma2": r"{{ bos_token }}System role not supported must alternate '<start_of_turn>' + role + '\n' + message['content'] | trim",
    "gemma3": r"""{{ bos_token }} must alternate {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }} {{ message['content'] | trim }}""",
    "zephyr": r"{{ '<|user|>\n' + message['content'] + eos_token }}",
}


def make_chats():
    for name, template in CHATS.items():
        write("chats", name, template + "\0" + "hello \0 one\0<think>a</think>b\0" + "é\n")
    write("chats", "unknown", "{{ message }}\0hi")
